"""Reading an answer of several parts (RFC 7578)."""

from __future__ import annotations

import re

import httpx


def contents(response: httpx.Response) -> dict[str, bytes]:
    """What is in the parts of ``multipart/form-data``, by their names; a ``ValueError`` if it is not that.

    The boundary occurs in no content, which ends before the line end that goes before it.
    """
    kind = response.headers.get("content-type", "")
    boundary = re.fullmatch(r'multipart/form-data; *boundary="?([^";]+)"?', kind)
    if not boundary:
        raise ValueError(f"Content-Type is {kind!r}, expected multipart/form-data")
    found = {}
    for part in response.content.split(f"--{boundary[1]}".encode())[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'(?i)content-disposition: *form-data;.*?\bname="([^"]*)"', head)
        if not name:
            raise ValueError(f"a part has no name: {head[:100]!r}")
        found[name[1].decode()] = content.removesuffix(b"\r\n")
    return found
