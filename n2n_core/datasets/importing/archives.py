"""Safe unpacking of ZIP and TAR archives, member by member. Paths in the archive are never used.

Each member is written to a file with a number as its name. Limits are enforced on the bytes that are
actually unpacked, so a false header does not help an attacker.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple, Protocol

from n2n_core.datasets.importing.tar_headers import Header
from n2n_core.datasets.importing.unpacking import HEADER_BYTES, MARGIN, Compressed, TarStream, XzReader
from n2n_core.errors import ArchiveError, LimitError, N2NError
from n2n_core.image import MAX_PIXELS

LEFT_BEHIND = {"__macosx", "thumbs.db", "desktop.ini"}
"""Files and folders that operating systems leave in archives, besides those whose names start with a dot."""

CHUNK = 2**18
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
ENCRYPTED = 0x1 | 0x40  # a ZIP member's flags
CENTRAL_RECORD = 256  # most bytes that an ordinary member takes in a ZIP's directory


@dataclass(frozen=True)
class Limits:
    """Limits of an archive and of a dataset.

    Args:
        members: files and folders in an archive.
        total_bytes: bytes of all unpacked members, and of the dataset that is written.
        ratio: unpacked bytes per byte of the archive.
        name_length: characters in the name of a member.
        frames: pages of one TIFF.
        pixels: pixels of one picture.
    """

    members: int = 200_000
    total_bytes: int = 64 * 2**30
    ratio: int = 200
    name_length: int = 512
    frames: int = 10_000
    pixels: int = MAX_PIXELS


class Member(NamedTuple):
    """A file of an archive: its name there, and the path to which it was unpacked."""

    name: str
    path: Path


def is_left_behind(name: str) -> bool:
    """Return whether an operating system left this file, or a folder that it is in. They are skipped."""
    return any(part.startswith(".") or part.lower() in LEFT_BEHIND for part in name.split("/"))


def is_archive(path: Path) -> bool:
    """Return whether ``path`` is a ZIP or a (compressed) TAR, judged by its first bytes."""
    return _kind(path) is not None


def unpack(path: Path, folder: Path, limits: Limits) -> list[Member]:
    """Unpack an archive to ``folder``, under numbers as file names, and return its members.

    Raises:
        ArchiveError: the archive is damaged, truncated or encrypted, or has a member that is neither a file
            nor a folder, or whose name leads out of the archive.
        LimitError: it exceeds ``limits``.
    """
    kind = _kind(path)
    if kind is None:
        raise ArchiveError(f"{path.name}: not an archive, expected a ZIP or a TAR (plain, gz, bz2 or xz)")
    unpacking = _Unpacking(path, folder, limits)
    try:
        members = _zip_members(path, limits) if kind == "zip" else _tar_members(path, kind, unpacking.most)
        for name, content in members:
            unpacking.take(name, content)
    except (N2NError, MemoryError):
        raise
    except Exception as error:  # the libraries raise nearly anything on damaged archives
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk's fault; EINVAL, a seek to before the file's start, is the archive's
        raise ArchiveError(f"{path.name}: the archive is damaged or truncated ({error})") from error
    return unpacking.members


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Unpacking:
    """The state of an archive that is being unpacked."""

    def __init__(self, path: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = path.name, folder, limits
        self.most = limits.ratio * path.stat().st_size + MARGIN
        self.members: list[Member] = []
        self.names: set[str] = set()
        self.seen = self.total = 0

    def take(self, name: str, content: _Readable | None) -> None:
        """Unpack one member. A folder has no content."""
        self.seen += 1
        if self.seen > self.limits.members:
            raise _too_many(self.archive, self.limits)
        name = self._checked(name)
        if content is None:
            return
        if name in self.names:
            raise ArchiveError(f"{self.archive}: two members are called {name!r}, expected different names")
        self.names.add(name)
        skip = is_left_behind(name)
        target = self.folder / f"{len(self.members):08d}"
        with Path(os.devnull if skip else target).open("wb") as file:
            self._copy(name, content, file)
        if not skip:
            self.members.append(Member(name, target))

    def _copy(self, name: str, content: _Readable, file: IO[bytes]) -> None:
        while chunk := content.read(CHUNK):
            self.total += len(chunk)
            if self.total > self.limits.total_bytes:
                reason = f"expected at most {self.limits.total_bytes} bytes"
                raise LimitError(
                    "total_bytes", f"{self.archive}: too large when unpacked, at {name!r}, {reason}"
                )
            if self.total > self.most:
                reason = f"expected at most {self.most} bytes from an archive of its size"
                raise LimitError("ratio", f"{self.archive}: too large when unpacked, at {name!r}, {reason}")
            file.write(chunk)

    def _checked(self, name: str) -> str:
        """Return the name with ``/`` as separator, after checking that it stays inside the archive."""
        shown = repr(name[:80])
        if len(name) > self.limits.name_length:
            limit = f"expected at most {self.limits.name_length}"
            detail = f"{self.archive}: the name {shown}... has {len(name)} characters, {limit}"
            raise LimitError("name_length", detail)
        if "\0" in name:
            raise ArchiveError(f"{self.archive}: the name {shown} contains a null byte")
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or PureWindowsPath(name).drive:
            raise ArchiveError(f"{self.archive}: the name {shown} is absolute, expected a relative one")
        if ".." in path.parts:
            raise ArchiveError(f"{self.archive}: the name {shown} leads out of the archive with '..'")
        return str(path)


def _too_many(archive: str, limits: Limits) -> LimitError:
    return LimitError("members", f"{archive}: more than {limits.members} members, expected at most that many")


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        return "zip"
    for magic, kind in ((b"\x1f\x8b", "gz"), (b"BZh", "bz2"), (b"\xfd7zXZ\0", "xz")):
        if start.startswith(magic):
            return kind
    return "tar" if start[257:262] == b"ustar" else None


def _zip_members(path: Path, limits: Limits) -> Iterator[tuple[str, IO[bytes] | None]]:
    if _zip_directory_size(path) > limits.members * CENTRAL_RECORD:
        raise _too_many(path.name, limits)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            _check_zip_member(path.name, info)
            if info.is_dir():
                yield info.orig_filename, None
            else:
                with archive.open(info) as content:
                    yield info.orig_filename, content


def _check_zip_member(archive: str, info: zipfile.ZipInfo) -> None:
    shown = repr(info.orig_filename[:80])
    if not info.filename:  # zipfile cuts it at a null byte
        raise ArchiveError(f"{archive}: a member is called {shown}, expected a name")
    if info.flag_bits & ENCRYPTED:
        raise ArchiveError(f"{archive}: {shown} is encrypted, expected an archive without a password")
    if info.compress_type not in ZIP_METHODS:
        raise ArchiveError(
            f"{archive}: {shown} is compressed by method {info.compress_type}, expected deflate"
        )
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError(f"{archive}: {shown} is a link or a device, expected files and folders")


def _zip_directory_size(path: Path) -> int:
    """Return the size in bytes of a ZIP's directory, which ``zipfile`` reads into memory at once."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 22 - 2**16, 0))
        tail = file.read()
        end = tail.rfind(b"PK\5\6")
        if end < 0 or len(tail) < end + 22:
            raise ArchiveError(f"{path.name}: the archive is damaged or truncated (it has no directory)")
        (size,) = struct.unpack_from("<I", tail, end + 12)
        if size == 2**32 - 1 and end >= 20 and tail[end - 20 : end - 16] == b"PK\6\7":
            (start,) = struct.unpack_from("<Q", tail, end - 12)
            file.seek(min(start, path.stat().st_size))  # past the end there is nothing to read
            (size,) = struct.unpack_from("<Q", file.read(56), 40)
    return int(size)


def _tar_members(path: Path, kind: str, most: int) -> Iterator[tuple[str, IO[bytes] | None]]:
    with path.open("rb") as file:
        stream = TarStream(_decompressed(file, kind), most + HEADER_BYTES, path.name)
        end = 0
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=Header) as archive:  # type: ignore[call-overload]
            while True:
                with stream.reading_headers():
                    info = archive.next()
                if info is None:
                    break
                _check_tar_member(path.name, info)
                yield info.name, archive.extractfile(info)
                end = info.offset_data + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
                archive.members = []  # otherwise it keeps every header in memory
        stream.check_end(end)


def _check_tar_member(archive: str, info: tarfile.TarInfo) -> None:
    if not (info.isdir() or (info.isreg() and not info.issparse())):
        shown = repr(info.name[:80])
        raise ArchiveError(f"{archive}: {shown} is a link, a device or sparse, expected files and folders")


def _decompressed(file: IO[bytes], kind: str) -> Compressed:
    if kind == "gz":
        return gzip.GzipFile(fileobj=file)
    if kind == "bz2":
        return bz2.BZ2File(file)
    return XzReader(file) if kind == "xz" else file
