"""Thumbnails and sheets of a dataset's pictures, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from n2n_core.datasets.checks.crops import SampledCrops
from n2n_core.datasets.checks.report import Cell, Shown
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.pictures import Array
from n2n_core.errors import ConfigError
from n2n_core.image import Picture, encode

LARGEST = 1024
"""Largest side of a thumbnail."""
SIDE = 128
"""Side of a picture on a sheet, in pixels."""
GAP = 4
SHEET_ROWS, SHEET_COLUMNS = 6, 3
DARK = 0.25
"""Part of [0, 1]. A sheet whose values fill less than this is stretched to its own black and white."""
DEVIATIONS = 3
"""Standard deviations of the difference that are shown as white. Grey is 0."""


def thumbnail(dataset: Dataset, scene: int, shot: int = 0, side: int = SIDE) -> bytes:
    """Return a shot as PNG, reduced so that its longer side is ``side``. Smaller pictures keep their size."""
    if not 1 <= side <= LARGEST:
        raise ConfigError(f"the thumbnail's side is {side}, expected 1 to {LARGEST}")
    return _png(_fitted(dataset.read(scene, shot), side))


def contact_sheet(dataset: Dataset, scenes: Sequence[int], columns: int = 6, side: int = SIDE) -> bytes:
    """Return the first shots of ``scenes`` side by side, as PNG."""
    tiles = [_square(_fitted(dataset.read(scene, 0), side), side) for scene in scenes]
    if not tiles or columns < 1:
        raise ConfigError(f"{len(tiles)} scenes in {columns} columns, expected at least one of each")
    return _png(_grid(tiles, min(columns, len(tiles))))


def crop_sheet(crops: SampledCrops) -> tuple[bytes, tuple[Cell, ...]]:
    """Return crops at full resolution, because reducing them would hide the noise: a PNG, and its cells.

    With two shots, each scene is a row of the first shot, the second, and their difference. The difference
    is grey where it is 0, and white or black at three standard deviations of all differences. If the
    pictures are dark, all are brightened alike.
    """
    count = min(len(crops.pictures), SHEET_ROWS)
    pictures, seconds = _visible(crops.pictures[:count], crops.seconds[:count])
    rows = zip(pictures, seconds, _differences(crops, count), strict=True) if seconds else zip(pictures)
    tiles = [_detail(picture) for row in rows for picture in row]
    columns, shown = min(len(tiles), SHEET_COLUMNS), get_args(Shown)[: len(tiles) // count]
    places = [(scene, picture) for scene in crops.scenes[:count] for picture in shown]
    cells = [
        Cell(scene, picture, *_box(index, tile, columns))
        for index, ((scene, picture), tile) in enumerate(zip(places, tiles, strict=True))
    ]
    return _png(_grid([_square(tile, SIDE) for tile in tiles], columns)), tuple(cells)


def _differences(crops: SampledCrops, count: int) -> list[Array]:
    """Return the shots' differences, scaled so that 0 is grey."""
    differences = [a - b for a, b in crops.pairs[:count]]
    scale = max(float(np.mean([d.std() for d in differences])) * DEVIATIONS * 2, 1e-6)
    return [d / scale + 0.5 for d in differences]


def _visible(pictures: Sequence[Array], seconds: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """Return the shots, stretched if they would look black."""
    values = np.concatenate([picture.ravel() for picture in pictures])
    black, white = (float(level) for level in np.percentile(values, (0.5, 99.5)))
    if white - black >= DARK:
        return list(pictures), list(seconds)
    width = max(white - black, 1e-6)
    return [(p - black) / width for p in pictures], [(s - black) / width for s in seconds]


def _detail(picture: Array) -> Tensor:
    """Return the middle of a picture, at most ``(3, SIDE, SIDE)``. Pixels of small pictures are repeated."""
    tensor = torch.from_numpy(picture)
    height, width = tensor.shape[1:]
    top, left = max(height - SIDE, 0) // 2, max(width - SIDE, 0) // 2
    part = tensor[:, top : top + SIDE, left : left + SIDE].expand(3, -1, -1)
    times = max(SIDE // max(part.shape[1:]), 1)
    return part.repeat_interleave(times, 1).repeat_interleave(times, 2)


def _fitted(picture: Tensor, side: int) -> Tensor:
    """Reduce a picture by averaging, so that its longer side is at most ``side``."""
    height, width = picture.shape[1:]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = (max(round(height * scale), 1), max(round(width * scale), 1))
    return interpolate(picture[None], size, mode="area")[0]


def _square(picture: Tensor, side: int) -> Tensor:
    """Centre a picture on a white square."""
    left, top, width, height = _centred(picture, side)
    return pad(picture, (left, side - width - left, top, side - height - top), value=1.0)


def _centred(picture: Tensor, side: int) -> tuple[int, int, int, int]:
    """Return where a picture is on its square: left, top, width and height."""
    height, width = picture.shape[1:]
    return (side - width) // 2, (side - height) // 2, width, height


def _box(index: int, picture: Tensor, columns: int) -> tuple[int, int, int, int]:
    """Return where a picture is on a grid of squares: left, top, width and height."""
    left, top, width, height = _centred(picture, SIDE)
    row, column = divmod(index, columns)
    return column * (SIDE + GAP) + left, row * (SIDE + GAP) + top, width, height


def _grid(tiles: Sequence[Tensor], columns: int) -> Tensor:
    """Arrange tiles of equal size row by row, with gaps between them."""
    rows = -(-len(tiles) // columns)
    _, height, width = tiles[0].shape
    sheet = torch.ones(3, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        sheet[:, top : top + height, left : left + width] = tile
    return sheet


def _png(picture: Tensor) -> bytes:
    return encode(Picture(picture.numpy()))
