"""Neighbor2Neighbor: two noisy pictures of half the size from one, so that one is enough to train.

Every 2x2 cell of the picture gives two adjacent pixels, one to each of two sub-pictures. Where
noise is independent from pixel to pixel, the two are a noisy pair of nearly the same scene. What
they differ in beyond noise, a regularisation term takes into account: a perfect denoiser's output
for the first, less the second, would have the mean that its output for the whole picture, sampled
in the same two ways, differs by.

Source: Huang et al., Neighbor2Neighbor (arXiv:2101.14776).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

ADJACENT = torch.tensor([(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2)])
"""Ordered pairs of pixels of a cell that share a side; a cell is numbered 0 1 / 2 3."""


@dataclass(frozen=True)
class Neighbours:
    """Which pixel of every 2x2 cell goes to which sub-picture.

    Args:
        chosen: ``(2, N, 1, H, W, 1)``, numbers of pixels in their cells, 0 to 3.
    """

    chosen: Tensor

    @classmethod
    def draw(cls, images: Tensor, generator: Generator) -> Neighbours:
        """A choice for ``(N, C, 2 H, 2 W)`` images, every adjacent pair as likely."""
        n, _, height, width = images.shape
        kinds = torch.randint(len(ADJACENT), (n, 1, height // 2, width // 2, 1), generator=generator)
        return cls(ADJACENT[kinds].movedim(-1, 0).to(images.device))

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The two sub-pictures, each ``(N, C, H, W)``."""
        n, c, height, width = images.shape
        cells = images.reshape(n, c, height // 2, 2, width // 2, 2).transpose(3, 4).flatten(4)
        first, second = (
            cells.gather(-1, index.expand(*cells.shape[:-1], 1)).squeeze(-1) for index in self.chosen
        )
        return first, second

    def expected(self, denoise: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """``g1(f(y)) - g2(f(y))``, ``(N, C, H, W)``: what the scene changes by between the two."""
        first, second = self(denoise(images))
        return first - second
