"""A sheet of sample pictures: noisy, denoised and reference side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from n2n_core.image import png
from n2n_core.image.rounding import to_bytes

CELL = 128
"""Side of a cell in pixels. Larger pictures show their middle, smaller ones are enlarged."""

GAP = 4
PITCH = CELL + GAP
ROWS = 4
MOST_SHEETS = 100
"""Sheets that a run keeps, each of at most 0.7 MB: a run may have a million epochs."""

COLUMNS = ("noisy", "denoised", "reference")


@dataclass(frozen=True)
class Grid:
    """Where the pictures of a sheet are, in pixels. All of them have the same size.

    Args:
        columns: what each column shows.
        rows: number of rows, each of one scene.
        x: left edge of the first column's pictures.
        y: upper edge of the first row's pictures.
        width: of each picture.
        height: of each picture.
        pitch: distance from one picture to the next, in both directions.
    """

    columns: tuple[str, ...]
    rows: int
    x: int
    y: int
    width: int
    height: int
    pitch: int

    @classmethod
    def of(cls, pictures: Tensor) -> Self:
        """Return the grid of a sheet whose columns are like ``pictures``, ``(N, 3, H, W)``."""
        height, width = fitted(pictures[0]).shape[1:]
        x, y = (GAP + (CELL - side) // 2 for side in (width, height))
        return cls(COLUMNS, min(ROWS, len(pictures)), x, y, width, height, PITCH)


def path(folder: Path, epoch: int) -> Path:
    """Return the file of an epoch's sheet in the folder of samples."""
    return folder / f"epoch-{epoch:04}.png"


def epochs(folder: Path) -> list[int]:
    """Return the epochs that have a sheet, in order."""
    return sorted(int(file.stem.removeprefix("epoch-")) for file in folder.glob("epoch-*.png"))


def surplus(epochs: Sequence[int], most: int) -> list[int]:
    """Return the epochs whose sheets to remove, so that at most ``most`` of ``epochs`` (in order) remain.

    The first and the last one remain, and between them one of every two, four, eight...

    >>> surplus([1, 2, 3, 4, 5, 6], most=4), surplus([1, 2, 3], most=4)
    ([2, 4], [])
    """
    kept, every = set(epochs), 1
    while len(kept) > most:
        every *= 2
        kept = {epoch for epoch in epochs if epoch % every == 1} | {epochs[0], epochs[-1]}
    return [epoch for epoch in epochs if epoch not in kept]


def sheet(columns: Sequence[Tensor]) -> bytes:
    """Return a PNG file with the first ``ROWS`` pictures of each of ``COLUMNS``, ``(N, 3, H, W)`` floats.

    The layout is fixed: cells of ``CELL`` pixels with ``GAP`` white pixels around each.
    """
    grid = Grid.of(columns[0])
    paper = torch.full((3, GAP + grid.rows * PITCH, GAP + len(columns) * PITCH), 255, dtype=torch.uint8)
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures[: grid.rows]):
            top, left = grid.y + row * PITCH, grid.x + column * PITCH
            paper[:, top : top + grid.height, left : left + grid.width] = fitted(to_bytes(picture))
    return png.write(paper.permute(1, 2, 0).numpy(), {})


def fitted(picture: Tensor) -> Tensor:
    """Return the middle of a ``(3, H, W)`` picture, or enlarge it by an integer factor, to fit in a cell."""
    times = max(1, CELL // max(picture.shape[1:]))
    picture = picture.repeat_interleave(times, 1).repeat_interleave(times, 2)
    for axis in (1, 2):
        size = min(CELL, picture.shape[axis])
        picture = picture.narrow(axis, (picture.shape[axis] - size) // 2, size)
    return picture
