"""The headers of a TAR's members, checked before ``tarfile`` reads them.

Up to Python 3.11.9 and 3.12.5 it searches extended (PAX) headers with patterns that take quadratic time and
memory: a kilobyte, once unpacked, stops a process for minutes (CVE-2024-6232). Newer versions check as we do.
"""

from __future__ import annotations

import tarfile
from typing import Any

LENGTH_DIGITS = 20
DIGITS = 64
"""Most digits in a row. A time in nanoseconds has 19."""

FOR_ALL = 64
"""Most fields that an archive may set for all further members. ``tarfile`` goes through them for each."""

_ONLY_DIGITS = bytes(code if chr(code).isdigit() and code < 128 else 32 for code in range(256))


class Header(tarfile.TarInfo):
    """A member's header."""

    def _proc_pax(self, archive: Any) -> tarfile.TarInfo:
        stream = archive.fileobj
        content = stream.read(self._block(self.size))  # type: ignore[attr-defined]
        _check_records(content)
        archive.fileobj = _Again(content, stream)
        try:
            return super()._proc_pax(archive)  # type: ignore[misc, no-any-return]
        finally:
            archive.fileobj = stream
            if len(archive.pax_headers) > FOR_ALL:
                raise tarfile.ReadError(f"it sets more than {FOR_ALL} fields for all members")


class _Again:
    """A stream from which what was read already can be read again."""

    def __init__(self, content: bytes, stream: Any) -> None:
        self.content, self.stream = content, stream

    def read(self, size: int) -> bytes:
        if given := self.content:
            self.content = b""
            return given
        found: bytes = self.stream.read(size)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _check_records(content: bytes) -> None:
    r"""Raise ``tarfile.ReadError`` unless these are records ``LENGTH NAME=VALUE\n``, and zeros behind them.

    >>> _check_records(b"12 path=a/b\n" + bytes(4))
    >>> _check_records(b"2 2 2 2 path=a/b\n")
    Traceback (most recent call last):
        ...
    tarfile.ReadError: an extended header is damaged at byte 0
    """
    if max(map(len, content.translate(_ONLY_DIGITS).split()), default=0) > DIGITS:
        raise tarfile.ReadError(f"an extended header has more than {DIGITS} digits in a row")
    at = 0
    while at < len(content) and content[at]:
        digits, found, _ = content[at : at + LENGTH_DIGITS].partition(b" ")
        end = at + int(digits) if found and digits.isdigit() else 0
        if not (end <= len(content) and content[end - 1 : end] == b"\n" and content.find(b"=", at, end) > 0):
            raise tarfile.ReadError(f"an extended header is damaged at byte {at}")
        at = end
