"""The networks of the two reports."""

from collections.abc import Sequence

from torch import Generator, Tensor

from n2n_core.scratch.activation import ReLU, Sigmoid
from n2n_core.scratch.conv import Conv2d, Convolution, ConvTranspose2d
from n2n_core.scratch.sequential import Sequential, Skip
from n2n_core.scratch.upsampling import Upsampling


def strided_autoencoder(
    channels: int = 3, hidden: int = 100, generator: Generator | None = None
) -> Sequential:
    """Return the network of report 2, table 1: two 2x2 convolutions of stride 2, then two upsamplings.

    Shapes: ``(N, channels, H, W)`` to the same, H and W multiples of 4. Values are in (0, 1).

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
    """Networks of report 1: 3x3 convolutions, then as many transposed ones.

    The default, with a skip connection around all but the first and the last layer, is that of table 3.

    Args:
        channels: output channels of each layer, an even number of layers.
        skip: concatenate the input of the inner layers with their output.
        generator: for the initial weights.

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
        """Return the parameters, named as in the same network on torch.nn, so that one file serves both."""
        layers = [module for module in self.modules() if isinstance(module, Convolution)]
        return {
            key: tensor
            for index, layer in enumerate(layers)
            for key, tensor in layer.state_dict(f"{prefix}layers.{index}.").items()
        }
