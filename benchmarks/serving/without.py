"""The service with one of its parts switched off: ``python -m benchmarks.serving.without PART PORT``.

``benchmarks.parts`` compares it with the whole service, to see what the part buys.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import server
from service.api.denoise import single
from service.cli.main import main
from service.inference import lane, lines


def without_protocol() -> None:
    """Uvicorn's own protocol, without our limits."""
    setattr(server, "Connection", HttpToolsProtocol)  # noqa: B010 (to mypy it is of that module alone)


def without_short_way() -> None:
    """Small pictures through the router, like all others."""
    single.is_small = lambda request: False


def without_lanes() -> None:
    """One queue for small and large pictures."""
    lane.BRIEF_SECONDS = 0.0


def without_lines() -> None:
    """One batch at a time on a device, on all cores."""
    lines.MOST_LINES = 1


def without_spare_core() -> None:
    """All cores for small tiles, too."""
    lane.SERIAL_SECONDS = 0.0


PARTS: dict[str, Callable[[], None]] = {
    "protocol": without_protocol,
    "short-way": without_short_way,
    "lanes": without_lanes,
    "lines": without_lines,
    "spare-core": without_spare_core,
}

if __name__ == "__main__":
    part, port = sys.argv[1:]
    PARTS[part]()
    sys.argv[1:] = ["serve", "--port", port]
    sys.exit(main())
