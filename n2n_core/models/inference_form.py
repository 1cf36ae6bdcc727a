"""Rewrite networks for inference: the same results, faster.

In torch.nn, a transposed convolution of stride 1 is slower than the equivalent convolution, whose kernel is
flipped and has its channel axes swapped. A convolution of concatenated maps equals the sum of two
convolutions, which needs no concatenation.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from n2n_core.models.torch_modules import AutoEncoder, Network


class Convolution(NamedTuple):
    """Arguments of ``conv2d``."""

    weight: Tensor
    bias: Tensor | None
    padding: int


def rewritten(network: Network) -> Network:
    """Return the fastest equivalent of ``network``, in inference mode, on its device."""
    if isinstance(network, AutoEncoder) and not network.residual:
        return FastAutoEncoder(network).eval()
    return network.eval()


class FastAutoEncoder(nn.Module):
    """``AutoEncoder`` with convolutions only: maps ``(N, C, H, W)`` floats in [0, 1] to the same."""

    skip: Tensor | None

    def __init__(self, network: AutoEncoder) -> None:
        super().__init__()
        *inner, last = (as_convolution(layer) for layer in network.layers)
        skipped = inner[0].weight.shape[0] if network.skip else 0
        self.inner = nn.ModuleList(_Frozen(layer) for layer in inner)
        self.last = _Frozen(last._replace(weight=last.weight[:, skipped:]))
        skip = last.weight[:, :skipped].detach().contiguous(memory_format=torch.channels_last)
        self.register_buffer("skip", skip if skipped else None)

    def forward(self, x: Tensor) -> Tensor:
        """Compute what the network does, with operations in place."""
        first: Tensor = self.inner[0](x).relu_()
        x = first
        for layer in list(self.inner)[1:]:
            x = layer(x).relu_()
        x = self.last(x)
        if self.skip is not None:
            x = x.add_(conv2d(first, self.skip, padding=self.last.padding))
        return x.sigmoid_()


class _Frozen(nn.Module):
    """A convolution with constant weights, channels last. ``tiling`` reads its arguments."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, layer: Convolution) -> None:
        super().__init__()
        weight = layer.weight.detach().contiguous(memory_format=torch.channels_last)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.detach())
        self.kernel_size, self.padding = weight.shape[2:], (layer.padding, layer.padding)
        self.stride = self.dilation = (1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight, self.bias, padding=self.padding)


def as_convolution(layer: nn.Module) -> Convolution:
    """Convert an unpadded layer of stride 1, transposed or not, to a convolution."""
    assert isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
    if isinstance(layer, nn.Conv2d):
        return Convolution(layer.weight, layer.bias, 0)
    flipped = layer.weight.transpose(0, 1).flip(2, 3)  # (C_in, C_out, K, K) to (C_out, C_in, K, K)
    return Convolution(flipped, layer.bias, layer.kernel_size[0] - 1)
