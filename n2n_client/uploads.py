"""Files and folders as the parts of a form, read from the disk as they are sent."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from n2n_core.errors import ConfigError

Part = tuple[str, tuple[str, IO[bytes]]]


@contextmanager
def parts(paths: Sequence[Path]) -> Iterator[list[Part]]:
    """The files, open for reading; if there is a folder among them, one TAR of all.

    Raises:
        ConfigError: a path does not exist, or two files would have one name.
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
    """The files, each with its name; of one folder alone the name is within it."""
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder")
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            name = _name(file, path, alone=len(paths) == 1)
            if name in found:
                raise ConfigError(f"{found[name]} and {file} would both be {name}, expected other names")
            if file.is_file():
                found[name] = file
    if not found:
        raise ConfigError(f"{', '.join(map(str, paths))}: holds no file")
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
    target.flush()  # its length is read from the disk
