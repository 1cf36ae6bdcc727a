"""Content negotiation by the ``Accept`` header (RFC 9110, section 12.5.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Header

from n2n_core.image import MEDIA_TYPES

BINARY = "application/octet-stream"
PNG = "image/png"

Accept = Annotated[str, Header(include_in_schema=False)]
"""The ``Accept`` header as a parameter. OpenAPI describes it by the responses' media types instead."""


@dataclass(frozen=True)
class Answer:
    """An image format, and the media type to send it with."""

    format: str
    media_type: str


@lru_cache(
    256
)  # clients send the same few headers, and parsing one takes half as long as encoding a tiny picture
def negotiate(accept: str, own: str) -> Answer | None:
    """Return the preferred format for an input of format ``own``, or None if none is acceptable.

    The input's own format wins ties. ``application/octet-stream`` selects it, too, for clients that want
    plain bytes.

    >>> negotiate("image/webp, */*;q=0.5", own="png")
    Answer(format='webp', media_type='image/webp')
    >>> negotiate("text/html", own="png") is None
    True
    """
    ranges = _parse(accept or "*/*")
    formats = [own, *(format for format in MEDIA_TYPES if format != own)]
    answers = [Answer(format, MEDIA_TYPES[format]) for format in formats] + [Answer(own, BINARY)]
    best = max(answers, key=lambda answer: _quality(answer.media_type, ranges))
    return best if _quality(best.media_type, ranges) > 0 else None


def prefers(accept: str, kinds: Sequence[str]) -> str | None:
    """Return the preferred one of these media types, the first on a tie, or None if none is acceptable.

    >>> prefers("text/csv, */*;q=0.5", ("application/json", "text/csv"))
    'text/csv'
    """
    ranges = _parse(accept or "*/*")
    best = max(kinds, key=lambda kind: _quality(kind, ranges))
    return best if _quality(best, ranges) > 0 else None


def sent_as(media_type: str, accept: str) -> str:
    """Return the file's own media type, or plain bytes if the client accepts nothing else."""
    return prefers(accept, (media_type, BINARY)) or media_type


def _parse(accept: str) -> dict[str, float]:
    ranges = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
        try:
            ranges[name] = float(quality)
        except ValueError:
            ranges[name] = 0.0
    return ranges


def _quality(media_type: str, ranges: dict[str, float]) -> float:
    """Return the quality of the most specific range that matches."""
    kind = media_type.partition("/")[0]
    return next((ranges[name] for name in (media_type, f"{kind}/*", "*/*") if name in ranges), 0.0)
