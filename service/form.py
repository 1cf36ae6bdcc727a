"""Several contents in one body (RFC 2046)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import uuid4


@dataclass(frozen=True)
class Part:
    """One content; ``disposition`` says what it is, in the words of a ``Content-Disposition`` header."""

    disposition: str
    media_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def write(parts: Iterable[Part], kind: str) -> tuple[bytes, str]:
    """The body, and its media type, as ``kind`` with a boundary that no content can hold.

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
