"""Read the noisy pictures and their clean versions that methods are compared on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor

from n2n_core import image
from n2n_core.datasets.importing.naming import natural
from n2n_core.datasets.importing.pictures import is_picture
from n2n_core.datasets.pairs import load_pairs
from n2n_core.errors import ConfigError, DataError, ImageError
from n2n_core.image.rounding import to_bytes
from n2n_core.noise.corruptions import Corruption, Gaussian, PointSampling
from n2n_core.noise.estimation import noise_level

TOGETHER = 50
"""Pictures of one size to denoise at once."""


class Batch(NamedTuple):
    """Pictures of one size.

    Args:
        names: names of the pictures.
        noisy: ``(N, C, H, W)`` floats, nominally in [0, 1].
        clean: ``(N, C, H, W)`` uint8.
        sigmas: noise levels in the units of ``noisy``, estimated if they are not known.
    """

    names: list[str]
    noisy: Tensor
    clean: Tensor
    sigmas: list[float]


def of_file(path: Path, limit: int | None = None) -> Iterator[Batch]:
    """Yield the pairs (noisy, clean) of a file in the course's format.

    Raises:
        DataError: the file cannot be used.
    """
    pairs = load_pairs(path)
    pairs = pairs if limit is None else pairs.take(limit)
    for start in range(0, len(pairs.input), TOGETHER):
        part = slice(start, start + TOGETHER)
        noisy = pairs.input[part].float() / 255
        names = [str(start + index) for index in range(len(noisy))]
        yield Batch(names, noisy, pairs.target[part], [noise_level(one.numpy()) for one in noisy])


def of_clean(
    paths: Sequence[Path], corruption: Corruption, seed: int = 0, rounded: bool = True
) -> Iterator[Batch]:
    """Yield clean pictures with ``corruption``, one per batch.

    Args:
        paths: files of the pictures; noise is drawn in this order.
        corruption: what makes the pictures noisy.
        seed: seed of the noise.
        rounded: whether noisy pictures are rounded and clipped to 8 bits, as in a file.
    """
    generator = Generator().manual_seed(seed)
    known = corruption.sigma if isinstance(corruption, Gaussian) else None
    for path in paths:
        colour = _whole_blocks(_read(path), corruption)
        yield _batch(path.name, corruption(colour, generator), corruption.clean(colour), rounded, known)


def of_pairs(pairs: Sequence[tuple[Path, Path]], rounded: bool = True) -> Iterator[Batch]:
    """Yield pairs of files, noisy and clean, one per batch."""
    for noisy_path, clean_path in pairs:
        noisy, clean = _read(noisy_path), _read(clean_path)
        if noisy.shape != clean.shape:
            got = f"shapes are {tuple(noisy.shape)} and {tuple(clean.shape)}"
            raise DataError(f"{noisy_path} and {clean_path}: {got}, expected equal shapes")
        yield _batch(noisy_path.name, noisy, clean, rounded)


def pictures(folder: Path, limit: int | None = None) -> list[Path]:
    """Return the first ``limit`` pictures below ``folder``, sorted by name."""
    found = (path for path in folder.rglob("*") if is_picture(path.name) and path.is_file())
    paths = list(islice(sorted(found, key=lambda path: natural(str(path))), limit))
    if not paths:
        raise DataError(f"{folder}: contains no picture, expected one of: {', '.join(image.SUFFIXES)}")
    return paths


def find_pairs(
    folder: Path, noisy_suffix: str, clean_suffix: str, limit: int | None = None
) -> list[tuple[Path, Path]]:
    """Return pairs (noisy, clean) in ``folder``, whose names differ in the suffix only.

    Raises:
        DataError: a file has no partner, or there are no pairs.
    """
    if noisy_suffix == clean_suffix:
        raise ConfigError(f"both suffixes are {noisy_suffix!r}, expected two that differ")
    by_suffix: dict[str, dict[Path, Path]] = {noisy_suffix: {}, clean_suffix: {}}
    for path in pictures(folder):
        # If both suffixes fit, such as "_noisy" and "", the longer one counts.
        fitting = [suffix for suffix in by_suffix if path.stem.endswith(suffix)]
        if fitting:
            suffix = max(fitting, key=len)
            by_suffix[suffix][path.with_name(path.stem.removesuffix(suffix))] = path
    noisy, clean = by_suffix.values()
    for scene in sorted(noisy.keys() ^ clean.keys()):
        alone = noisy.get(scene) or clean[scene]
        other = clean_suffix if scene in noisy else noisy_suffix
        raise DataError(f"{alone}: has no partner, expected {scene.name}{other}{alone.suffix} beside it")
    if not noisy:
        expected = f"names that end in {noisy_suffix!r} and {clean_suffix!r}"
        raise DataError(f"{folder}: contains no pairs, expected {expected}")
    return list(islice(((noisy[scene], clean[scene]) for scene in noisy), limit))


def _batch(name: str, noisy: Tensor, clean: Tensor, rounded: bool, sigma: float | None = None) -> Batch:
    noisy = to_bytes(noisy).float() / 255 if rounded else noisy
    sigma = noise_level(noisy.numpy()) if sigma is None else sigma
    return Batch([name], noisy[None], to_bytes(clean)[None], [sigma])


def _read(path: Path) -> Tensor:
    """Read ``(C, H, W)`` floats in [0, 1]."""
    try:
        return torch.from_numpy(image.decode(path.read_bytes()).colour)
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error


def _whole_blocks(colour: Tensor, corruption: Any) -> Tensor:
    """Cut off the last rows and columns that do not fill a block of point sampling."""
    if not isinstance(corruption, PointSampling):
        return colour
    _, height, width = colour.shape
    return colour[:, : height - height % corruption.block, : width - width % corruption.block]
