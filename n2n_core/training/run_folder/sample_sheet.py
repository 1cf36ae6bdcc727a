"""A sheet of pictures that shows what a model does: noisy, denoised and reference side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from n2n_core.image import png
from n2n_core.image.rounding import to_bytes

CELL = 128
"""Side in pixels of a picture on the sheet: larger ones show their middle, smaller ones are enlarged."""

GAP = 4
ROWS = 4


def sheet(columns: Sequence[Tensor]) -> bytes:
    """A PNG file of the first ``ROWS`` pictures, one a row, in ``columns`` of ``(N, 3, H, W)`` floats.

    The layout is fixed: cells of ``CELL`` pixels, ``GAP`` white ones around each.
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
    """``(3, H, W)``, its middle or enlarged by a whole number, to at most ``CELL`` on each side."""
    times = max(1, CELL // max(picture.shape[1:]))
    picture = picture.repeat_interleave(times, 1).repeat_interleave(times, 2)
    for axis in (1, 2):
        size = min(CELL, picture.shape[axis])
        picture = picture.narrow(axis, (picture.shape[axis] - size) // 2, size)
    return picture
