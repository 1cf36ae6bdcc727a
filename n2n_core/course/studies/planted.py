"""Report 2's network with the report's bug: its convolution does not swap channels in the backward pass.

The gradient with respect to the input multiplies by the weights and sums over the *output* channels. The
report's code reads the weights ``(C_out, C_in, K, K)`` as if they were ``(C_in, C_out, K, K)``, so it sums
over the wrong numbers, and the result has little to do with the gradient. The framework itself is correct:
only networks of this module have the bug.
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
    """Report 2's network with the bug. Forward pass and weights files are the same as without it."""

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """Build the network on the scratch framework, with the bug."""
        network = super().build(generator, "scratch")
        assert isinstance(network, scratch.Sequential)
        for layer in network.layers:
            layer.__class__ = PLANTED.get(type(layer), type(layer))  # weights, names and forward stay
        return network


class UnswappedConv2d(Conv2d):
    """Convolution with a wrong gradient for its input. The gradients of its weights and bias are right."""

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return the gradient for the input, computed with misread weights."""
        with _misread(self):
            return super().backward(grad)


class UnswappedUpsampling(Upsampling):
    """Upsampling whose convolution has the same bug."""

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return the gradient for the input, computed with misread weights."""
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
