"""What a network costs: the multiplications that it takes for a pixel."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import prod
from typing import Any

from n2n_core.models.torch_modules import Network


def macs_per_pixel(network: Network) -> float:
    """Multiply-accumulates of all convolutions, per pixel of the input, as if it had no border.

    Of a convolution, each position of its smaller map meets every weight once. The maps' sizes follow
    from strides and scales, layer by layer in the order of ``modules()``, in which ``tiling`` reads
    them, too. It is what the network's description takes: upsampling in one step takes fewer.

    >>> from n2n_core.models.architectures import MODELS
    >>> macs_per_pixel(MODELS["torch"].build())
    188100.0
    """
    area, total = Fraction(1), Fraction(0)  # the current map's pixels, for one of the input
    layers: Iterable[Any] = network.modules()
    for layer in layers:
        if hasattr(layer, "upscale_factor"):
            area *= layer.upscale_factor**2
        elif hasattr(layer, "scale_factor"):
            area *= Fraction(prod(layer.scale_factor))
        elif hasattr(layer, "kernel_size"):
            before, step = area, Fraction(prod(layer.stride))
            area = area * step if getattr(layer, "transposed", False) else area / step
            total += layer.weight.numel() * min(before, area)
    return float(total)
