"""The container."""

from collections.abc import Iterator

from torch import Tensor

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
