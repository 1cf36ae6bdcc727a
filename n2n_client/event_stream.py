"""A parser for server-sent events (WHATWG HTML, section 9.2), as far as the service uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

MEDIA_TYPE = "text/event-stream"


class Message(NamedTuple):
    """One server-sent event."""

    name: str
    data: str
    id: str | None


def messages(chunks: Iterable[bytes]) -> Iterator[Message]:
    """Yield the events of a stream. An incomplete event at the end is dropped.

    >>> list(messages([b"id: 7\\nevent: st", b"ep\\ndata: {}\\n\\n: beat\\n\\ndata: cut"]))
    [Message(name='step', data='{}', id='7')]
    """
    name, data, id = "message", list[str](), None
    for line in _lines(chunks):
        key, _, value = line.partition(":")  # a line that starts with a colon is a comment
        value = value.removeprefix(" ")
        if key == "event":
            name = value
        elif key == "data":
            data.append(value)
        elif key == "id":
            id = value
        elif not line:
            if data:
                yield Message(name, "\n".join(data), id)
            name, data, id = "message", [], None


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield the complete lines. ``str.splitlines`` would also split at characters such as U+2028."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode(errors="replace")
