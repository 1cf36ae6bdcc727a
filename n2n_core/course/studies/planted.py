"""The report's bug, planted: the convolution's backward pass without the exchange of its channels.

The gradient by the input multiplies by the weights and sums over the *output* channels. The
report's code reads the weights ``(C_out, C_in, K, K)`` as if they were ``(C_in, C_out, K, K)``, so the sum is
over other numbers: what a layer hands down has little to do with the gradient. The framework
itself stays right; only networks of this module have the bug.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Generator, Tensor

from n2n_core import scratch
from n2n_core.models.architectures import StridedAutoEncoder
from n2n_core.models.torch_modules import Network
from n2n_core.scratch import Conv2d, Upsampling


@dataclass(frozen=True)
class Unswapped(StridedAutoEncoder):
    """Report 2's network, whose forward pass is right; its weights files are no different."""

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """The network on the scratch framework, with the bug."""
        network = super().build(generator, "scratch")
        assert isinstance(network, scratch.Sequential)
        for layer in network.layers:
            layer.__class__ = PLANTED.get(type(layer), type(layer))  # weights, names and forward stay
        return network


class UnswappedConv2d(Conv2d):
    """Hands down a wrong gradient; its weights' own gradients are right."""

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """As it should be, but for the weights that it multiplies by."""
        with _misread(self):
            return super().backward(grad)


class UnswappedUpsampling(Upsampling):
    """The same for the convolution of an upsampling."""

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """As it should be, but for the weights that it multiplies by."""
        with _misread(self.conv):
            return super().backward(grad)


PLANTED: dict[type, type[scratch.Module]] = {Conv2d: UnswappedConv2d, Upsampling: UnswappedUpsampling}


@contextmanager
def _misread(conv: Conv2d) -> Iterator[None]:
    right = conv.weight
    c_out, c_in, *kernel = right.shape
    conv.weight = right.reshape(c_in, c_out, *kernel).transpose(0, 1)
    try:
        yield
    finally:
        conv.weight = right
