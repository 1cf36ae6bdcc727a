"""The loss function."""

from torch import Tensor

from n2n_core.errors import ShapeError
from n2n_core.scratch.module import Module


class MSE(Module):
    """Mean squared error over all n elements: ``loss = sum((x - target)^2) / n``.

    >>> MSE()(Tensor([1.0, 1.0]), Tensor([3.0, 1.0])).item()
    2.0
    """

    def forward(self, x: Tensor, target: Tensor) -> Tensor:  # type: ignore[override]
        """Return the loss of ``x`` and ``target``, which have equal shapes, as a scalar tensor."""
        if x.shape != target.shape:
            raise ShapeError("MSE", "the target's shape", tuple(target.shape), str(tuple(x.shape)))
        error = x - target
        self.save_for_backward(error)
        return error.pow(2).mean()

    def backward(self) -> Tensor:  # type: ignore[override]
        """Return ``dloss/dx = 2 (x - target) / n``, of the shape of ``x``."""
        (error,) = self.saved_tensors()
        return error * (2 / max(1, error.numel()))
