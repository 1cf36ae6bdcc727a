"""A sheet of sample pictures: noisy, denoised and reference side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from n2n_core.image import png
from n2n_core.image.rounding import to_bytes

CELL = 128
"""Side of a cell in pixels. Larger pictures show their middle, smaller ones are enlarged."""

GAP = 4
ROWS = 4


def sheet(columns: Sequence[Tensor]) -> bytes:
    """Return a PNG file with the first ``ROWS`` pictures of each column, ``(N, 3, H, W)`` floats.

    The layout is fixed: cells of ``CELL`` pixels with ``GAP`` white pixels around each.
    """
    count, pitch = min(ROWS, len(columns[0])), CELL + GAP
    paper = torch.full((3, GAP + count * pitch, GAP + len(columns) * pitch), 255, dtype=torch.uint8)
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures[:count]):
            cell = fitted(to_bytes(picture))
            _, height, width = cell.shape
            top = GAP + row * pitch + (CELL - height) // 2
            left = GAP + column * pitch + (CELL - width) // 2
            paper[:, top : top + height, left : left + width] = cell
    return png.write(paper.permute(1, 2, 0).numpy(), {})


def fitted(picture: Tensor) -> Tensor:
    """Return the middle of a ``(3, H, W)`` picture, or enlarge it by an integer factor, to fit in a cell."""
    times = max(1, CELL // max(picture.shape[1:]))
    picture = picture.repeat_interleave(times, 1).repeat_interleave(times, 2)
    for axis in (1, 2):
        size = min(CELL, picture.shape[axis])
        picture = picture.narrow(axis, (picture.shape[axis] - size) // 2, size)
    return picture
