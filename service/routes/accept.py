"""The ``Accept`` header of answers that are files."""

from typing import Annotated

from fastapi import Header

from service.negotiation import BINARY, prefers

PNG = "image/png"

Accept = Annotated[str, Header(include_in_schema=False)]
"""OpenAPI tells it by the answers' media types."""


def sent_as(media_type: str, accept: str) -> str:
    """The file's own type; plain bytes for clients that want nothing else, such as generated ones."""
    return prefers(accept, (media_type, BINARY)) or media_type
