"""Draw the pictures that are sent: point-sampled PNG files."""

from __future__ import annotations

import torch
from torch import Generator

from n2n_core import image
from n2n_core.image import Picture
from n2n_core.noise.corruptions import PointSampling

BLOCK = 4


def png(side: int, seed: int = 0) -> bytes:
    """Draw a square picture of discs on a gradient, with one sample per pixel."""
    generator = Generator().manual_seed(seed)
    fine = torch.linspace(0, 1, side * BLOCK)
    y, x = torch.meshgrid(fine, fine, indexing="ij")
    clean = torch.stack([x, y, (x + y) / 2])
    for _ in range(24):
        v = torch.rand(6, generator=generator)  # centre, radius, colour
        inside = (x - v[0]) ** 2 + (y - v[1]) ** 2 < (v[2] / 4) ** 2
        clean = torch.where(inside, v[3:, None, None], clean)  # (3, H, W)
    return image.encode(Picture(PointSampling(BLOCK)(clean, generator).numpy()))


def corrupt(seed: int = 0) -> bytes:
    """Return a PNG that is cut off in the middle; its header looks valid."""
    whole = png(32, seed)
    return whole[: len(whole) // 2]
