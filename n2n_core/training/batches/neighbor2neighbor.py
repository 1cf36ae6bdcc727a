"""Neighbor2Neighbor: training from single noisy pictures, each divided into two of half the size.

Every 2x2 cell of the picture gives two adjacent pixels, one to each of two sub-pictures. If the noise
is independent from pixel to pixel, the two are a noisy pair of nearly the same scene. A regularisation
term accounts for the difference of their scenes, ``g1`` and ``g2`` being the two ways to sample: for a
perfect denoiser ``f`` and a picture ``y``, the mean of ``f(g1(y)) - g2(y)`` is that of
``g1(f(y)) - g2(f(y))``.

Source: Huang et al., Neighbor2Neighbor (arXiv:2101.14776).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

ADJACENT = torch.tensor([(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2)])
"""Ordered pairs of pixels of a cell that share a side. The pixels are numbered 0 1 / 2 3."""


@dataclass(frozen=True)
class NeighborSubsampler:
    """The pixel of every 2x2 cell that goes to each sub-picture.

    Args:
        chosen: ``(2, N, 1, H, W, 1)``, numbers of pixels in their cells, 0 to 3.
    """

    chosen: Tensor

    @classmethod
    def draw(cls, images: Tensor, generator: Generator) -> NeighborSubsampler:
        """Draw a choice for ``(N, C, 2 H, 2 W)`` images, every adjacent pair with the same probability."""
        n, _, height, width = images.shape
        kinds = torch.randint(len(ADJACENT), (n, 1, height // 2, width // 2, 1), generator=generator)
        return cls(ADJACENT[kinds].movedim(-1, 0).to(images.device))

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two sub-pictures, each ``(N, C, H, W)``."""
        n, c, height, width = images.shape
        cells = images.reshape(n, c, height // 2, 2, width // 2, 2).transpose(3, 4).flatten(4)
        first, second = (
            cells.gather(-1, index.expand(*cells.shape[:-1], 1)).squeeze(-1) for index in self.chosen
        )
        return first, second

    def expected(self, denoise: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Return ``g1(f(y)) - g2(f(y))``, ``(N, C, H, W)``: the difference of the scenes in the two."""
        first, second = self(denoise(images))
        return first - second
