"""Pictures of any sizes in one piece of memory, from which pixels of many are taken at once.

To read crops one by one takes the host longer than a GPU takes to learn from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy

import torch
from torch import Generator, Tensor

from n2n_core.image.rounding import to_bytes


class Album:
    """Pictures on a device: as bytes where those hold them exactly, else as floats.

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
        if not exact:  # those before the first one that bytes do not hold
            held = [picture if picture.is_floating_point() else picture.float() / 255 for picture in held]
        sizes = torch.tensor([picture.numel() for picture in held])
        self.values = torch.cat([picture.flatten() for picture in held])
        self.starts = sizes.cumsum(0) - sizes
        self.heights, self.widths = (torch.tensor(sides) for sides in zip(*shapes, strict=True))

    def to(self, device: torch.device) -> Album:
        """The same pictures on ``device``."""
        moved = copy(self)
        for name, values in vars(self).items():
            setattr(moved, name, values.to(device))
        return moved

    def __len__(self) -> int:
        return len(self.starts)

    def read(self, pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """Pixels of ``pictures``, ``(N,)``, at ``rows`` and ``columns``, which broadcast to ``(N, h, w)``.

        Returns:
            ``(N, 3, h, w)`` float32.
        """
        width, size = (x[pictures].view(-1, 1, 1) for x in (self.widths, self.widths * self.heights))
        first = self.starts[pictures].view(-1, 1, 1) + rows * width + columns
        channels = torch.arange(3, device=first.device).view(1, 3, 1, 1)
        values = self.values[first[:, None] + channels * size[:, None]]
        return values if values.is_floating_point() else values.float() / 255


def below(bounds: Tensor, generator: Generator) -> Tensor:
    """Uniform in ``0 .. bounds - 1``, another draw for each."""
    drawn = torch.rand(bounds.shape, generator=generator, dtype=torch.float64, device=bounds.device)
    return (drawn * bounds).long()
