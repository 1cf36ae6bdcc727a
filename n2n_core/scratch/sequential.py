"""The containers: modules in a row, and a skip connection around some."""

from collections.abc import Iterator

import torch
from torch import Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.module import Module


class Sequential(Module):
    """Modules one after the other; may hold others of its kind."""

    def __init__(self, *modules: Module) -> None:
        self.layers = list(modules)

    def children(self) -> Iterator[tuple[str, Module]]:
        return ((str(index), layer) for index, layer in enumerate(self.layers))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``f_n(... f_1(x))``."""
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """The chain rule: every layer's backward, last layer first."""
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad


class Skip(Sequential):
    """A skip connection: the input beside what the modules make of it, ``cat([x, f(x)])``.

    Shapes: ``(N, C, H, W)`` to ``(N, C + C_f, H, W)``; the modules must keep H and W.

    >>> Skip()(torch.empty(1, 3, 8, 8)).shape
    torch.Size([1, 6, 8, 8])
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """``cat([x, f(x)])`` along the channels."""
        if x.dim() != 4:
            raise ShapeError("Skip", "the input's shape", tuple(x.shape), "(N, C, H, W)")
        y = super().forward(x)
        if (len(y), *y.shape[2:]) != (len(x), *x.shape[2:]):
            expected = f"({len(x)}, C, {', '.join(map(str, x.shape[2:]))}) as the input's"
            raise ShapeError("Skip", "the modules' output's shape", tuple(y.shape), expected)
        self.keep(x, y)
        return torch.cat([x, y], 1)

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """``dx`` is the gradient by the first C channels, plus ``f``'s backward of the others."""
        x, y = self.recall()
        n, c, h, w = x.shape
        grad = self.received(grad, (n, c + y.shape[1], h, w))
        return grad[:, :c] + super().backward(grad[:, c:])
