"""The byte stream that ``tarfile`` reads: it limits memory and checks that the archive is complete."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Protocol

from n2n_core.errors import LimitError

MARGIN = 64 * 2**20
"""Bytes to which any archive may unpack, however high its compression ratio."""

HEADER_BYTES = 2**20
"""Largest headers of one member. ``tarfile`` reads them into memory, whatever their length."""

XZ_MEMORY = 256 * 2**20
"""Memory limit for unpacking xz. Its standard levels need at most 65 MiB, a hostile file up to 4 GiB."""

CHUNK = 2**16


class Compressed(Protocol):
    """A file from which unpacked bytes can be read."""

    def read(self, size: int, /) -> bytes: ...


class TarStream:
    """The stream from which ``tarfile`` reads.

    At a damaged header ``tarfile`` stops as if the archive ended there. So the stream records the position
    of the last byte other than 0. After the last member there must be none.

    Args:
        source: the archive, without compression.
        most: largest number of bytes to read, headers included.
        name: of the archive.
    """

    def __init__(self, source: Compressed, most: int, name: str) -> None:
        self.source, self.most, self.name = source, most, name
        self.position = self.last = 0
        self.allowance: int | None = HEADER_BYTES  # opening reads the first header

    def read(self, size: int = CHUNK) -> bytes:
        """Read at most ``size`` bytes."""
        block = self.source.read(size)
        if self.allowance is not None:
            self.allowance -= len(block)
            if self.allowance < 0:
                raise tarfile.ReadError(f"a member's headers are larger than {HEADER_BYTES} bytes")
        if used := len(block.rstrip(b"\0")):
            self.last = self.position + used
        self.position += len(block)
        if self.position > self.most:
            reason = f"expected at most {self.most} bytes from an archive of its size"
            raise LimitError("ratio", f"{self.name}: too large when unpacked, with its headers, {reason}")
        return block

    @contextmanager
    def reading_headers(self) -> Iterator[None]:
        """Limit the bytes that can be read inside the ``with`` block."""
        self.allowance = HEADER_BYTES
        try:
            yield
        finally:
            self.allowance = None

    def check_end(self, end: int) -> None:
        """Read the rest, and check that only zeros, and at least one block of them, follow ``end``.

        ``end`` is the position at which the last member ends.
        """
        while self.position <= end + MARGIN and self.read():
            pass
        if self.last > end:
            raise tarfile.ReadError(f"a header is damaged at byte {end}")
        if self.position < end + tarfile.BLOCKSIZE:
            raise tarfile.ReadError(f"it ends at byte {self.position} without an end marker")


class XzReader:
    """Reads unpacked bytes of an xz file within a memory limit, which ``lzma.LZMAFile`` does not have."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.unread = b""
        self.decoder = self._new()

    def read(self, size: int = CHUNK, /) -> bytes:
        """Read at most ``size`` bytes, none at the end of the file."""
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
