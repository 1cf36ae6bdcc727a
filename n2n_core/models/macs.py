"""Count the multiply-accumulates of a network."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import prod
from typing import Any

from n2n_core.models.torch_modules import Network


def macs_per_pixel(network: Network) -> float:
    """Return the multiply-accumulates of all convolutions per input pixel, ignoring borders.

    A convolution uses each weight once per position of its smaller map. The sizes of the maps follow from
    strides and scales, layer by layer in the order of ``modules()``, as in ``tiling``. This counts the
    network as described: fused upsampling needs fewer.

    >>> from n2n_core.models.architectures import MODELS
    >>> macs_per_pixel(MODELS["torch"].build())
    188100.0
    """
    area, total = Fraction(1), Fraction(0)  # pixels of the current map per input pixel
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
