"""The course's rule for making data: crops of photos, reduced to small pictures by point sampling."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Generator, Tensor

from n2n_core.errors import ConfigError, DataError
from n2n_core.image.rounding import to_bytes
from n2n_core.noise.corruptions import PointSampling

PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}

MAX_CROP = 4096
"""Largest side in pixels to which a photo may be enlarged, so that it fits into memory."""


def find_photos(folders: Sequence[Path]) -> list[Path]:
    """Return all image files below ``folders``, each once, sorted by path.

    Raises:
        DataError: one of ``folders`` is no folder, or there are fewer than two photos.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: not a folder, expected a folder of photos")
    found = {path.resolve(): path for folder in folders for path in folder.rglob("*")}  # each once
    photos = sorted(
        path for path in found.values() if path.suffix.lower() in PHOTO_SUFFIXES and path.is_file()
    )
    if len(photos) < 2:
        names = ", ".join(map(str, folders))
        raise DataError(f"{names}: {len(photos)} photos, expected at least 2 (one to train, one to validate)")
    return photos


def split_photos(
    photos: Sequence[Path], fraction: float, generator: Generator
) -> tuple[list[Path], list[Path]]:
    """Shuffle the photos and split them into ``(training, validation)``, neither empty.

    Splitting photos, not crops, keeps crops of one photo out of both parts.
    """
    if not 0 < fraction < 1:
        raise ConfigError(f"the validation fraction is {fraction}, expected a number between 0 and 1")
    order = torch.randperm(len(photos), generator=generator).tolist()
    held_out = min(max(round(len(photos) * fraction), 1), len(photos) - 1)
    return [photos[i] for i in order[held_out:]], [photos[i] for i in order[:held_out]]


@dataclass(frozen=True)
class CourseRule:
    """The rule by which a photo becomes small pictures, as in the data of EE-559.

    A random square crop of side ``size * block`` is divided into ``size x size`` blocks of ``block x block``
    pixels, and each block is replaced by one of its pixels, drawn at random (point sampling). ``block`` is
    drawn for each crop, uniformly from ``min_block`` to the largest that fits into the photo.

    Args:
        size: side of the small pictures in pixels.
        min_block: side of the smallest block. With 7 and ``size`` 32, crops are at least 224 pixels wide.
        short_side: resize photos (bicubic) to this short side first. None keeps their size.
    """

    size: int = 32
    min_block: int = 7
    short_side: int | None = None

    def __post_init__(self) -> None:
        for name in ("size", "min_block"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected at least 1")
        if self.size * self.min_block > MAX_CROP:
            got = f"size * min_block is {self.size * self.min_block}"
            raise ConfigError(
                f"{got}, expected at most {MAX_CROP}, the side to which smaller photos are enlarged"
            )
        if self.short_side is not None and self.short_side < self.size * self.min_block:
            expected = f"at least size * min_block = {self.size * self.min_block}"
            raise ConfigError(f"short_side is {self.short_side}, expected {expected}")
        if self.short_side is not None and self.short_side > MAX_CROP:
            raise ConfigError(f"short_side is {self.short_side}, expected at most {MAX_CROP}")

    def open(self, path: Path) -> Tensor:
        """Read a photo as ``(3, H, W)`` floats in [0, 1], enlarged if it is too small for one crop."""
        try:
            with Image.open(path) as file:
                mode, photo = file.mode, file.convert("RGB")
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises nearly anything on damaged files
            raise DataError(f"{path}: cannot be read as a photo ({error})") from error
        if mode.startswith(("I", "F")):
            raise DataError(f"{path}: pixels have mode {mode!r}, expected 8 bits a channel")
        short, least = min(photo.size), self.size * self.min_block
        target = self.short_side or max(short, least)
        if short != target:
            scale = target / short
            size = [max(round(side * scale), target) for side in photo.size]
            photo = photo.resize((size[0], size[1]), Image.Resampling.BICUBIC)
        pixels = torch.frombuffer(bytearray(photo.tobytes()), dtype=torch.uint8)
        return pixels.view(photo.height, photo.width, 3).permute(2, 0, 1) / 255

    def crop(self, photo: Tensor, generator: Generator) -> tuple[Tensor, PointSampling]:
        """Return a random crop, and the corruption that reduces it to ``size x size``."""
        _, height, width = photo.shape
        largest = min(height, width) // self.size
        block = _randint(self.min_block, largest, generator)
        side = self.size * block
        top = _randint(0, height - side, generator)
        left = _randint(0, width - side, generator)
        return photo[:, top : top + side, left : left + side], PointSampling(block)


def sample_scenes(
    photos: Sequence[Path], count: int, rule: CourseRule, generator: Generator, shots: int
) -> Iterator[tuple[Tensor, ...]]:
    """Yield ``count`` scenes, spread evenly over the photos.

    A scene is a tuple of ``shots`` noisy pictures and the clean picture.
    Pictures are ``(3, size, size)`` uint8. Noisy pixels are pixels of the photo, so 8 bits hold them exactly
    unless the photo was resized.
    """
    if count < 1:
        raise ConfigError(f"the number of pairs is {count}, expected at least 1")
    share, extra = divmod(count, len(photos))
    for index, path in enumerate(photos):
        crops = share + (index < extra)
        if not crops:
            return
        photo = rule.open(path)
        for _ in range(crops):
            crop, corruption = rule.crop(photo, generator)
            noisy = [to_bytes(corruption(crop, generator)) for _ in range(shots)]
            yield *reversed(noisy), to_bytes(corruption.clean(crop))


def shuffled(scenes: Iterable[tuple[Tensor, ...]], generator: Generator) -> tuple[Tensor, ...]:
    """Stack ``scenes`` in random order: for each position in a scene, one tensor ``(N, ...)``."""
    columns = list(zip(*scenes, strict=True))
    order = torch.randperm(len(columns[0]), generator=generator)
    return tuple(torch.stack(column)[order] for column in columns)


def _randint(low: int, high: int, generator: Generator) -> int:
    """Return an integer drawn uniformly from ``low`` to ``high``, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))
