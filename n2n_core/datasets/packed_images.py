"""Pictures of different sizes in one tensor, from which crops of many pictures are read at once.

Reading crops one by one on the host takes longer than a GPU takes to train on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy

import torch
from torch import Generator, Tensor

from n2n_core.image.rounding import to_bytes


class PackedImages:
    """Pictures packed into one tensor: uint8 if that is exact for all of them, float32 otherwise.

    Args:
        pictures: ``(3, H, W)`` floats, nominally in [0, 1].
    """

    def __init__(self, pictures: Iterable[Tensor]) -> None:
        held, shapes, exact = [], [], True
        for picture in pictures:
            as_bytes = to_bytes(picture)
            exact = exact and bool((as_bytes.float() / 255 == picture).all())
            held.append(as_bytes if exact else picture)
            shapes.append(picture.shape[1:])
        if not exact:  # convert back those before the first picture that bytes cannot hold
            held = [picture if picture.is_floating_point() else picture.float() / 255 for picture in held]
        sizes = torch.tensor([picture.numel() for picture in held])
        self.values = torch.cat([picture.flatten() for picture in held])
        self.starts = sizes.cumsum(0) - sizes
        self.heights, self.widths = (torch.tensor(sides) for sides in zip(*shapes, strict=True))

    def to(self, device: torch.device) -> PackedImages:
        """Return a copy of the pictures on ``device``."""
        moved = copy(self)
        for name, values in vars(self).items():
            setattr(moved, name, values.to(device))
        return moved

    def __len__(self) -> int:
        return len(self.starts)

    def read(self, pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Read pixels of ``pictures``, ``(N,)``, at ``rows`` and ``columns``, broadcast to ``(N, h, w)``.

        Returns:
            ``(N, 3, h, w)`` float32.
        """
        width, size = (x[pictures].view(-1, 1, 1) for x in (self.widths, self.widths * self.heights))
        first = self.starts[pictures].view(-1, 1, 1) + rows * width + columns
        channels = torch.arange(3, device=first.device).view(1, 3, 1, 1)
        values = self.values[first[:, None] + channels * size[:, None]]
        return values if values.is_floating_point() else values.float() / 255


def random_below(bounds: Tensor, generator: Generator) -> Tensor:
    """Return an integer for each element of ``bounds``, uniform in ``0 .. bounds - 1``."""
    drawn = torch.rand(bounds.shape, generator=generator, dtype=torch.float64, device=bounds.device)
    return (drawn * bounds).long()
