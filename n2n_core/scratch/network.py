"""The reports' networks, on the framework."""

from collections.abc import Sequence

from torch import Generator, Tensor

from n2n_core.scratch.activation import ReLU, Sigmoid
from n2n_core.scratch.conv import Conv2d, Convolution, ConvTranspose2d
from n2n_core.scratch.sequential import Sequential, Skip
from n2n_core.scratch.upsampling import Upsampling


def strided_autoencoder(
    channels: int = 3, hidden: int = 100, generator: Generator | None = None
) -> Sequential:
    """Report 2's table 1: two 2x2 stride-2 convolutions down, two upsamplings back up.

    Heights and widths must be multiples of 4.

    >>> sum(p.numel() for p, _ in strided_autoencoder().param())
    134203
    """
    c, h, g = channels, hidden, generator
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


class AutoEncoder(Sequential):
    """Report 1's family: 3x3 convolutions, as many transposed ones; with ``skip``, its table 3.

    >>> sum(p.numel() for p, _ in AutoEncoder().param())
    188403
    """

    def __init__(
        self,
        channels: Sequence[int] = (100, 100, 100, 3),
        skip: bool = True,
        generator: Generator | None = None,
    ) -> None:
        inputs = [channels[-1], *channels[:-1]]
        inputs[-1] += channels[0] if skip else 0
        half = len(channels) // 2
        kinds: list[type[Conv2d | ConvTranspose2d]] = [Conv2d] * half + [ConvTranspose2d] * half
        first, *inner, last = (
            kind(c_in, c_out, kernel_size=3, generator=generator)
            for kind, c_in, c_out in zip(kinds, inputs, channels, strict=True)
        )
        body = [module for layer in inner for module in (layer, ReLU())]
        super().__init__(first, ReLU(), *([Skip(*body)] if skip else body), last, Sigmoid())

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Parameters named as in our network on torch.nn, so that one file serves both."""
        layers = [module for module in self.modules() if isinstance(module, Convolution)]
        return {
            key: tensor
            for index, layer in enumerate(layers)
            for key, tensor in layer.state_dict(f"{prefix}layers.{index}.").items()
        }
