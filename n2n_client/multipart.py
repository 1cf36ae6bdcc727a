"""A reader for ``multipart/form-data`` answers (RFC 7578)."""

from __future__ import annotations

import re

import httpx


def contents(response: httpx.Response) -> dict[str, bytes]:
    """Return the contents of the parts by name.

    The boundary occurs in no content, and the line break before it does not belong to the content.

    Raises:
        ValueError: the answer is not ``multipart/form-data``.
    """
    kind = response.headers.get("content-type", "")
    boundary = re.fullmatch(r'multipart/form-data; *boundary="?([^";]+)"?', kind)
    if not boundary:
        raise ValueError(f"Content-Type is {kind!r}, expected multipart/form-data")
    found = {}
    for part in response.content.split(f"--{boundary[1]}".encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        found[_name(head)] = content.removesuffix(b"\r\n")
    return found


def _name(head: bytes) -> str:
    """Return the name of a part, from its headers."""
    for line in head.split(b"\r\n"):
        header, _, value = line.partition(b":")
        if header.lower() == b"content-disposition":
            for parameter in value.split(b";"):
                key, _, name = parameter.strip().partition(b"=")
                if key == b"name":
                    return name.strip(b'"').decode()
    raise ValueError(f"a part has no name: {head[:100]!r}")
