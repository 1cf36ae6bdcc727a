"""Multipart bodies (RFC 2046): writing them, and reading forms into memory."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from uuid import uuid4

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.http.errors import ProblemError
from service.http.problem_types import BAD_FORM, TOO_MANY_PARTS


@dataclass(frozen=True)
class Part:
    """One part of a body; ``disposition`` is its ``Content-Disposition`` header."""

    disposition: str
    media_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def write(parts: Iterable[Part], kind: str) -> tuple[bytes, str]:
    """Return a multipart body and its media type: ``kind`` with a random boundary.

    >>> body, media_type = write([Part('form-data; name="a"', "text/plain", b"1")], "multipart/form-data")
    >>> media_type.partition("=")[0], body.count(b"1\\r\\n--") > 0
    ('multipart/form-data; boundary', True)
    """
    boundary = uuid4().hex
    body = bytearray()
    for part in parts:
        headers = {
            "Content-Type": part.media_type,
            "Content-Disposition": part.disposition,
            **part.headers,
            "Content-Length": str(len(part.body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body += f"--{boundary}\r\n{head}\r\n".encode() + part.body + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return bytes(body), f"{kind}; boundary={boundary}"


@asynccontextmanager
async def read_form(request: Request, most: int) -> AsyncIterator[FormData]:
    """Read a multipart form of at most ``most`` parts. Its files are open within the block.

    Raises:
        ProblemError: the form is malformed, or has more parts.
    """
    try:
        form = await _Parser(request, most).parse()
    except MultiPartException as error:
        raise ProblemError(BAD_FORM, f"the form is malformed: {error.message}") from error
    try:
        yield form
    finally:
        await form.close()


class _Parser(MultiPartParser):
    """Starlette's parser with a part limit of our own, as its error for too many parts is not a class."""

    def __init__(self, request: Request, most: int) -> None:
        super().__init__(request.headers, request.stream(), max_files=inf, max_fields=inf)
        self.count, self.most = 0, most

    def on_part_begin(self) -> None:
        """Count the part."""
        super().on_part_begin()
        self.count += 1
        check_parts(self.count, self.most, "N2N_MAX_PARTS")


def check_parts(count: int, most: int, setting: str) -> None:
    """Raise ``ProblemError`` if a form has more than ``most`` parts."""
    if count > most:
        detail = f"the form has more than {most} parts ({setting})"
        raise ProblemError(TOO_MANY_PARTS, detail)
