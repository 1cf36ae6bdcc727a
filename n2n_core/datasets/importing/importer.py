"""Imports archives, folders and files as a dataset, completely or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.archives import Limits, Member, is_archive, is_left_behind, unpack
from n2n_core.datasets.importing.arrays import read_npz, read_pkl
from n2n_core.datasets.importing.naming import KINDS, find_scenes
from n2n_core.datasets.importing.pictures import Array, PictureFiles, is_picture, to_stored
from n2n_core.datasets.importing.writer import DatasetWriter
from n2n_core.errors import ConfigError, DataError
from n2n_core.files import atomic_folder, check_regular
from n2n_core.noise.corruptions import NOISES, noise

SPOOL = "spool"
PAGES = ("shots", "scenes")
NAME_LENGTH = 200


class Page(NamedTuple):
    """A picture in a file, or the page of it that is in this place."""

    member: Member
    place: int | None = None


@dataclass(frozen=True)
class ImportOptions:
    """Options for reading the sources.

    Args:
        rule: pattern that splits names into scene and shot, see ``find_scenes``. None means folders and
            usual names.
        pages: what the pages of a TIFF are in pairs and bursts: ``shots`` of one scene, with a file for each
            scene, or ``scenes``, with a file for each shot.
        data_range: value of white, by which values are divided. Required for floats far outside [0, 1],
            and advisable for 12-bit values in 16-bit files (4095).
        limits: limits of what is read and written.
        on_picture: called with the name of each picture before it is read, and once with "" after the last.
    """

    rule: str | None = None
    pages: str = "shots"
    data_range: float | None = None
    limits: Limits = field(default_factory=Limits)
    on_picture: Callable[[str], None] = lambda name: None

    def __post_init__(self) -> None:
        if self.pages not in PAGES:
            raise ConfigError(f"pages is {self.pages!r}, expected one of: {', '.join(PAGES)}")
        if self.data_range is not None and not (isfinite(self.data_range) and self.data_range > 0):
            raise ConfigError(f"data_range is {self.data_range}, expected a number above 0")


def import_dataset(
    sources: str | Path | Sequence[str | Path],
    kind: str,
    folder: str | Path,
    *,
    name: str | None = None,
    corruption: dict[str, Any] | None = None,
    options: ImportOptions | None = None,
) -> Dataset:
    """Read ``sources`` and write a dataset to ``folder``, which must not exist yet.

    Args:
        sources: a ZIP or TAR, a folder, a ``.pkl``, an ``.npz``, or pictures.
        kind: one of ``KINDS``.
        folder: folder of the dataset. It appears when everything is written.
        name: name of the dataset. None takes the folder's name.
        corruption: noise that training adds to pictures of kind ``clean``, required for them and not
            allowed for others: arguments of ``noise`` for values in [0, 1], such as
            ``{"name": "gaussian", "sigma": 0.1}``.
        options: options for reading the sources.

    Raises:
        DataError: the sources cannot be used. The message names the file and says what is expected.
        ConfigError: an argument is invalid.
    """
    paths = [Path(path) for path in ([sources] if isinstance(sources, (str, Path)) else sources)]
    folder, options = Path(folder), options or ImportOptions()
    name = _checked_name(folder.name if name is None else name)
    corruption = _checked_corruption(kind, corruption)
    for source in paths:
        if not source.exists():
            raise DataError(f"{source}: no such file or folder")
        if not source.is_dir():
            check_regular(source)
    if folder.exists():
        raise DataError(f"{folder}: exists already, expected a new folder for the dataset")
    with atomic_folder(folder) as temporary:
        spool = temporary / SPOOL
        spool.mkdir()
        writer = DatasetWriter(temporary, options.limits.total_bytes)
        left_out = _write(paths, kind, writer, spool, options)
        shutil.rmtree(spool)
        shown = ", ".join(source.name for source in paths[:8]) + (", ..." if len(paths) > 8 else "")
        writer.finish(kind, name, shown, corruption, left_out)
    return Dataset.open(folder)


def _checked_name(name: str) -> str:
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable() or not name.strip():
        raise ConfigError(f"the dataset's name is {name[:50]!r}, expected 1 to {NAME_LENGTH} characters")
    return name


def _checked_corruption(kind: str, corruption: dict[str, Any] | None) -> dict[str, Any] | None:
    if kind not in KINDS:
        raise ConfigError(f"kind is {kind!r}, expected one of: {', '.join(KINDS)}")
    if kind != "clean" and corruption is not None:
        raise ConfigError(f"corruption is {corruption} for kind {kind!r}, expected none for noisy pictures")
    if kind == "clean":
        if not corruption or not isinstance(corruption.get("name"), str):
            raise ConfigError(f"clean pictures need a corruption, expected one of: {', '.join(NOISES)}")
        noise(**corruption)
    return corruption


def _write(
    sources: list[Path], kind: str, writer: DatasetWriter, spool: Path, options: ImportOptions
) -> list[str]:
    """Write all scenes, and return the names of files that are not pictures."""
    suffixes = {source.suffix.lower() for source in sources}
    if suffixes & {".pkl", ".npz"}:
        if len(sources) > 1:
            raise DataError(f"{len(sources)} sources with a .pkl or .npz, expected only that file")
        for batch in _read_arrays(sources[0], kind, spool, options):
            writer.add(batch)
        return []
    members, left_out = _members(sources, spool, options.limits)
    files = PictureFiles()
    pages = _pages(files, members, options)
    several = any(page.place is not None for page in pages.values())
    folders = {"shots": "scenes", "scenes": "shots"}[options.pages] if several else "auto"
    scenes = find_scenes(list(pages), kind, options.rule, folders)
    for scene, shots in scenes.items():
        writer.add(_read_scene(files, [(shot, pages[shot]) for shot in shots], options)[None], [scene])
    options.on_picture("")
    return sorted(left_out)


def _read_arrays(source: Path, kind: str, spool: Path, options: ImportOptions) -> Iterator[Array]:
    if source.suffix.lower() == ".pkl":
        return read_pkl(source, kind, options.limits, options.data_range)
    return read_npz(source, kind, spool, options.limits, options.data_range)


def _members(sources: list[Path], spool: Path, limits: Limits) -> tuple[list[Member], list[str]]:
    """Return the pictures in all sources, unpacked, and the names of all other files."""
    found: list[Member] = []
    others: list[str] = []
    for index, source in enumerate(sources):
        for member in _source_members(source, spool / str(index), limits):
            if is_picture(member.name):
                found.append(member)
            else:
                others.append(member.name)
    if not found:
        held = f"; it contains {', '.join(others[:5])}" if others else ""
        names = ", ".join(source.name for source in sources[:5])
        raise DataError(f"{names}: no pictures (PNG, JPEG, WebP, TIFF or BMP){held}")
    return found, others


def _source_members(source: Path, spool: Path, limits: Limits) -> Iterator[Member]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.exists() and not path.is_dir() and not is_left_behind(name):
                if not path.resolve().is_relative_to(source.resolve()):
                    raise DataError(
                        f"{name}: a link that leads out of {source.name}, expected files inside it"
                    )
                check_regular(path, name)
                yield Member(name, path)
    elif is_archive(source):
        spool.mkdir()
        yield from unpack(source, spool, limits)
    else:
        yield Member(source.name, source)


def _pages(files: PictureFiles, members: list[Member], options: ImportOptions) -> dict[str, Page]:
    """Map names to pictures. A TIFF of several pages is treated as a folder of its pages."""
    found: dict[str, Page] = {}
    for member in members:
        options.on_picture(member.name)
        places = files.find_pages(member.path, member.name, options.limits.frames)
        for page, place in enumerate(places):
            name = member.name if len(places) == 1 else f"{member.name}/{page:04d}"
            if name in found:
                raise DataError(f"{name}: two pictures have this name, expected different ones")
            found[name] = Page(member, None if len(places) == 1 else place)
    return found


def _read_scene(files: PictureFiles, shots: list[tuple[str, Page]], options: ImportOptions) -> Array:
    """Read the shots of a scene as ``(S, C, H, W)``."""
    pictures = [_read_shot(files, name, page, options) for name, page in shots]
    for (name, _), picture in zip(shots, pictures, strict=True):
        if (picture.shape, picture.dtype) != (pictures[0].shape, pictures[0].dtype):
            got = f"{shots[0][0]} is {_describe(pictures[0])} and {name} is {_describe(picture)}"
            raise DataError(f"{got}, expected equal sizes and types within a scene")
    return np.stack(pictures)


def _read_shot(files: PictureFiles, name: str, page: Page, options: ImportOptions) -> Array:
    options.on_picture(name)
    values = files.picture(page.member.path, name, page.place, options.limits.pixels)
    return to_stored(values, name, options.data_range)


def _describe(picture: Array) -> str:
    channels, height, width = picture.shape
    return f"{width} x {height}, {'grey' if channels == 1 else 'colour'}, {picture.dtype}"
