"""Files and folders as parts of a multipart form, read from disk while they are sent."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from n2n_client.errors import ArgumentError

Part = tuple[str, tuple[str, IO[bytes]]]


@contextmanager
def parts(paths: Sequence[Path]) -> Iterator[list[Part]]:
    """Open the files for reading. If one of ``paths`` is a folder, all are packed into one TAR.

    Raises:
        ArgumentError: a path does not exist, or two files would have the same name.
    """
    names = _names(paths)
    with ExitStack() as stack:
        if any(path.is_dir() for path in paths):
            tar = stack.enter_context(TemporaryFile())
            _pack(names, tar)
            yield [("file", ("files.tar", tar))]
        else:
            yield [("file", (name, stack.enter_context(path.open("rb")))) for name, path in names.items()]


def _names(paths: Sequence[Path]) -> dict[str, Path]:
    """Map the name of each file to its path. For a single folder, names are relative to that folder."""
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise ArgumentError(f"{path}: no such file or folder")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            name = _name(file, path, alone=len(paths) == 1)
            if name in found:
                raise ArgumentError(
                    f"{found[name]} and {file} would both be called {name}, expected different names"
                )
            if file.is_file():
                found[name] = file
    if not found:
        raise ArgumentError(f"{', '.join(map(str, paths))}: no files in it")
    return found


def _name(file: Path, path: Path, alone: bool) -> str:
    if file == path:
        return file.name
    name = file.relative_to(path).as_posix()
    return name if alone else f"{path.resolve().name}/{name}"


def _pack(names: dict[str, Path], target: IO[bytes]) -> None:
    with tarfile.open(fileobj=target, mode="w", dereference=True) as tar:
        for name, path in names.items():
            tar.add(path, name, recursive=False)
    target.flush()  # httpx reads its length from disk
