"""Containers: modules in sequence, and a skip connection around modules."""

from collections.abc import Iterator

import torch
from torch import Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.module import Module


class Sequential(Module):
    """Modules applied one after another: ``y = f_n(... f_1(x))``. Containers may be nested."""

    def __init__(self, *modules: Module) -> None:
        self.layers = list(modules)

    def children(self) -> Iterator[tuple[str, Module]]:
        return ((str(index), layer) for index, layer in enumerate(self.layers))

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``f_n(... f_1(x))``."""
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``dx`` by the chain rule: the backward pass of each layer, last layer first."""
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad


class Skip(Sequential):
    """A skip connection: ``y = cat([x, f(x)])`` along the channels, where ``f`` are the modules.

    Shapes: ``(N, C, H, W)`` to ``(N, C + C_f, H, W)``, where ``f`` gives ``C_f`` channels and keeps H and W.

    >>> Skip()(torch.empty(1, 3, 8, 8)).shape
    torch.Size([1, 6, 8, 8])
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``cat([x, f(x)])`` along the channels."""
        if x.dim() != 4:
            raise ShapeError("Skip", "the input's shape", tuple(x.shape), "(N, C, H, W)")
        y = super().forward(x)
        if (len(y), *y.shape[2:]) != (len(x), *x.shape[2:]):
            expected = f"({len(x)}, C, {', '.join(map(str, x.shape[2:]))}) like the input"
            raise ShapeError("Skip", "the shape of the modules' output", tuple(y.shape), expected)
        self.save_for_backward(x, y)
        return torch.cat([x, y], 1)

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``dx = grad[:, :C] + f.backward(grad[:, C:])``."""
        x, y = self.saved_tensors()
        n, c, h, w = x.shape
        grad = self.check_grad(grad, (n, c + y.shape[1], h, w))
        return grad[:, :c] + super().backward(grad[:, c:])
