"""Files and folders that are written wholly or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from n2n_core.errors import StorageError


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Within the block, what the system says against writing to ``path`` is a ``StorageError``."""
    try:
        yield
    except OSError as error:
        raise StorageError(path, error.strerror or str(error)) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well.

    A reader sees the old file or the new one, never half of either, also across a crash.
    """
    path = path.resolve()  # a link stays a link, to a new file
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{token_hex(8)}.tmp")  # short, where the name is as long as may be
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path`` that takes its name when the block ends well.

    Raises:
        FileExistsError: there is something at ``path``.
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
        temporary.rename(path)  # fails where somebody was faster, unless their folder is empty
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sync(path: Path) -> None:
    """Have what ``path`` holds on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
