"""Report 2's network (its table 1), on the framework."""

from dataclasses import dataclass

from torch import Generator

from n2n_core.scratch.activation import ReLU, Sigmoid
from n2n_core.scratch.conv import Conv2d
from n2n_core.scratch.sequential import Sequential
from n2n_core.scratch.upsampling import Upsampling


@dataclass(frozen=True)
class StridedAutoEncoder:
    """Two 2x2 stride-2 convolutions down, two upsamplings with 3x3 convolutions back up.

    With ``hidden=100``: 134,203 parameters, report 2's table 1.
    """

    channels: int = 3
    hidden: int = 100

    def build(self, generator: Generator | None = None) -> Sequential:
        """The network, freshly initialised from ``generator``.

        >>> sum(p.numel() for p, _ in StridedAutoEncoder().build().param())
        134203
        """
        c, h, g = self.channels, self.hidden, generator
        return Sequential(
            Conv2d(c, h, kernel_size=2, stride=2, generator=g),
            ReLU(),
            Conv2d(h, h, kernel_size=2, stride=2, generator=g),
            ReLU(),
            Upsampling(h, h, kernel_size=3, scale_factor=2, padding=1, generator=g),
            ReLU(),
            Upsampling(h, c, kernel_size=3, scale_factor=2, padding=1, generator=g),
            Sigmoid(),
        )
