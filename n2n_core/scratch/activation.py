"""Activations: elementwise, any shape."""

from torch import Tensor

from n2n_core.scratch.module import Module


class ReLU(Module):
    """``y = max(x, 0)``.

    >>> ReLU()(Tensor([-1.5, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Negative values become 0."""
        y = x.clamp(min=0)
        self.keep(y)
        return y

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """``dy/dx`` is 1 where ``x > 0``, else 0; 0 at 0."""
        (y,) = self.recall()
        return self.received(grad, y.shape).masked_fill(y == 0, 0)


class Sigmoid(Module):
    """``y = 1 / (1 + exp(-x))``, in (0, 1).

    >>> Sigmoid()(Tensor([0.0])).tolist()
    [0.5]
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """The logistic function."""
        y = x.sigmoid()
        self.keep(y)
        return y

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """``dy/dx = y (1 - y)``: finite for every x, where a formula in exp(-x) overflows."""
        (y,) = self.recall()
        return self.received(grad, y.shape) * y * (1 - y)
