"""The stream below a TAR: bounded in memory, and complete to its last byte."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

MARGIN = 64 * 2**20
"""Bytes that any archive may unpack to, however well it is compressed."""

HEADER_BYTES = 2**20
"""Of one member's headers: ``tarfile`` holds them in memory, whatever length they announce."""

XZ_MEMORY = 256 * 2**20
"""For unpacking xz: its default levels need at most 65 MiB, a hostile file asks for 4 GiB."""

CHUNK = 2**16


class Compressed(Protocol):
    """A file of which the unpacked bytes can be read."""

    def read(self, size: int, /) -> bytes: ...


class TarStream:
    """What ``tarfile`` reads from.

    A damaged header ends tarfile's iteration as if the archive ended there, so the stream
    remembers where its last byte other than 0 was: behind the last member there must be none.
    """

    def __init__(self, source: Compressed) -> None:
        self.source = source
        self.position = self.last = 0
        self.allowance: int | None = HEADER_BYTES  # opening reads the first header

    def read(self, size: int = CHUNK) -> bytes:
        """At most ``size`` bytes."""
        block = self.source.read(size)
        if self.allowance is not None:
            self.allowance -= len(block)
            if self.allowance < 0:
                raise tarfile.ReadError(f"a member's headers are larger than {HEADER_BYTES} bytes")
        if used := len(block.rstrip(b"\0")):
            self.last = self.position + used
        self.position += len(block)
        return block

    @contextmanager
    def reading_headers(self) -> Iterator[None]:
        """Within the block few bytes can be read."""
        self.allowance = HEADER_BYTES
        try:
            yield
        finally:
            self.allowance = None

    def check_end(self, end: int) -> None:
        """Read what is left; only zeros may follow ``end``, where the last member ended, and some must."""
        while self.position <= end + MARGIN and self.read():
            pass
        if self.last > end:
            raise tarfile.ReadError(f"a header is damaged at byte {end}")
        if self.position < end + tarfile.BLOCKSIZE:
            raise tarfile.ReadError(f"it ends at byte {self.position}, without an end mark")


class XzReader:
    """An xz file's unpacked bytes; ``lzma.LZMAFile`` knows no limit for its memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.unread = b""
        self.decoder = self._new()

    def read(self, size: int = CHUNK, /) -> bytes:
        """At most ``size`` bytes, none at the end."""
        while True:
            if self.decoder.eof:
                self.unread = (self.decoder.unused_data or self.file.read(CHUNK)).lstrip(b"\0")  # padding
                if not self.unread:
                    return b""
                self.decoder = self._new()
            elif self.decoder.needs_input and not self.unread:
                self.unread = self.file.read(CHUNK)
                if not self.unread:
                    raise EOFError("the compressed data end too early")
            given, self.unread = self.unread, b""
            if block := self.decoder.decompress(given, size):
                return block

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
