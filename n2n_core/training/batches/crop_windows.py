"""Windows of crops in pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator


@dataclass(frozen=True)
class CropWindows:
    """Windows of one size along either axis of a picture.

    Args:
        crop: side of a crop in pixels of the batch.
        block: pixels of the picture, along either axis, that become one pixel of the batch.
        multiple: the window's side is a multiple of it, in pixels of the picture.
    """

    crop: int
    block: int = 1
    multiple: int = 1

    @property
    def side(self) -> int:
        """Side of a full window in pixels of the picture."""
        return self.crop * self.block

    def size(self, length: int) -> int:
        """Return the window's side along an axis of ``length`` pixels; 0 if the axis is too short."""
        return min(self.side, length) // self.multiple * self.multiple

    def count(self, length: int) -> int:
        """Return how many windows cover an axis of ``length`` pixels."""
        return -(-length // max(1, self.side))

    def draw(self, length: int, generator: Generator) -> slice:
        """Return a random window. If only one fits, nothing is drawn from ``generator``."""
        size = self.size(length)
        start = randint(length - size + 1, generator) if length > self.side else 0
        return slice(start, start + size)

    def middle(self, length: int) -> slice:
        """Return the window in the middle."""
        size = self.size(length)
        start = (length - size) // 2
        return slice(start, start + size)


def randint(count: int, generator: Generator) -> int:
    """Return a uniform random number in ``0 .. count - 1``."""
    return int(torch.randint(count, (), generator=generator, device=generator.device))
