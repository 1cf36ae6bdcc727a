"""The loss."""

from torch import Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.module import Module


class MSE(Module):
    """Mean squared error over all elements.

    >>> MSE()(Tensor([1.0, 1.0]), Tensor([3.0, 1.0])).item()
    2.0
    """

    def forward(self, x: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """``mean((x - target)^2)``, a scalar."""
        if x.shape != target.shape:
            raise ShapeError("MSE", "the target's shape", tuple(target.shape), str(tuple(x.shape)))
        error = x - target
        self.keep(error)
        return error.pow(2).mean()

    def backward(self) -> Tensor:  # type: ignore[override]
        """``2 (x - target) / n``, elementwise, n the number of elements."""
        (error,) = self.recall()
        return error * (2 / max(1, error.numel()))
