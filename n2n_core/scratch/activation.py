"""Activation functions. They work elementwise on tensors of any shape."""

from torch import Tensor

from n2n_core.scratch.module import Module


class ReLU(Module):
    """Rectified linear unit, elementwise: ``y = max(x, 0)``.

    >>> ReLU()(Tensor([-1.5, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``max(x, 0)``."""
        y = x.clamp(min=0)
        self.save_for_backward(y)
        return y

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``dx = grad * (x > 0)``. The derivative at ``x = 0`` is taken as 0."""
        (y,) = self.saved_tensors()
        return self.check_grad(grad, y.shape).masked_fill(y == 0, 0)


class Sigmoid(Module):
    """Logistic function, elementwise: ``y = 1 / (1 + exp(-x))``, in (0, 1).

    >>> Sigmoid()(Tensor([0.0])).tolist()
    [0.5]
    """

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``1 / (1 + exp(-x))``."""
        y = x.sigmoid()
        self.save_for_backward(y)
        return y

    def backward(self, grad: Tensor) -> Tensor:  # type: ignore[override]
        """Return ``dx = grad * y * (1 - y)``, finite for every x. A formula in ``exp(-x)`` overflows."""
        (y,) = self.saved_tensors()
        return self.check_grad(grad, y.shape) * y * (1 - y)
