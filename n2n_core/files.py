"""Write files and folders completely or not at all; read regular files, and wait for no others."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from n2n_core.errors import DataError, StorageError

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def check_regular(path: Path, name: str = "") -> None:
    """Check that reading ``path`` will not wait: for the writer of a FIFO, or for a device that never ends.

    Raises:
        DataError: it is no regular file, nor a link to one; the message calls it ``name``.
    """
    _check_kind(path.stat().st_mode, name or str(path))


def read_regular(path: Path, name: str = "") -> bytes:
    """Read a file that ``check_regular`` accepts, even if another was put in its place meanwhile."""
    check_regular(path, name)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        _check_kind(os.fstat(descriptor).st_mode, name or str(path))
        return file.read()


def _check_kind(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "no file")
        raise DataError(f"{name}: is {kind}, expected a regular file")


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` in the block into a ``StorageError`` about ``path``."""
    try:
        yield
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces ``path`` if the block succeeds.

    Readers see the old file or the new one, never a part, even after a crash.
    """
    path = path.resolve()  # a symbolic link stays one; its target is replaced
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{token_hex(8)}.tmp")  # the file's own name may be as long as names can be
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that is renamed to ``path`` if the block succeeds.

    Raises:
        FileExistsError: ``path`` exists.
    """
    path = path.absolute()
    if os.path.lexists(path):
        raise FileExistsError(f"{path}: exists, expected a new folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{token_hex(8)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        _sync(temporary)
        temporary.rename(path)  # fails if another process was faster, unless its folder is empty
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    """Flush ``path`` to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
