"""Optimisers, which update the parameters in place from their gradients."""

from collections.abc import Iterable

import torch
from torch import Tensor

from n2n_core.scratch.module import Parameter


class Optimizer:
    """Base class: ``[tensor, gradient]`` pairs, and a learning rate that may change between steps."""

    def __init__(self, params: Iterable[Parameter], lr: float) -> None:
        self.params = [(tensor, grad) for tensor, grad in params]
        self.lr = lr

    def zero_grad(self) -> None:
        """Set all gradients to zero. ``backward`` only adds to them."""
        for _, grad in self.params:
            grad.zero_()

    def step(self) -> None:
        """Update every parameter once."""
        raise NotImplementedError

    def buffers(self) -> dict[str, Tensor]:
        """Return the optimiser's state by name. Copying into these tensors restores a state."""
        return {}


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, the same updates as ``torch.optim.SGD``.

    ``v = momentum v + g;  p = p - lr v``
    """

    def __init__(self, params: Iterable[Parameter], lr: float, momentum: float = 0.0) -> None:
        super().__init__(params, lr)
        self.momentum = momentum
        self.velocity = [tensor.new_zeros(tensor.shape) for tensor, _ in self.params] if momentum else []

    def step(self) -> None:
        if not self.momentum:
            for tensor, grad in self.params:
                tensor.sub_(grad, alpha=self.lr)
            return
        for (tensor, grad), velocity in zip(self.params, self.velocity, strict=True):
            velocity.mul_(self.momentum).add_(grad)
            tensor.sub_(velocity, alpha=self.lr)

    def buffers(self) -> dict[str, Tensor]:
        return {f"velocity.{i}": velocity for i, velocity in enumerate(self.velocity)}


class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1), the same updates as ``torch.optim.Adam``.

    ``m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;``
    ``p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)``
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr)
        self.betas, self.eps = betas, eps
        self.first = [tensor.new_zeros(tensor.shape) for tensor, _ in self.params]
        self.second = [tensor.new_zeros(tensor.shape) for tensor, _ in self.params]
        # A tensor, so that the count is restored with the rest of the state. On the CPU, so that
        # reading it never waits for a device.
        self.steps = torch.empty((), dtype=torch.float64).zero_()

    def step(self) -> None:
        self.steps += 1
        b1, b2 = self.betas
        t = self.steps.item()
        size = self.lr / (1 - b1**t)
        correction = (1 - b2**t) ** 0.5
        for (tensor, grad), m, v in zip(self.params, self.first, self.second, strict=True):
            m.lerp_(grad, 1 - b1)
            v.mul_(b2).addcmul_(grad, grad, value=1 - b2)
            tensor.addcdiv_(m, v.sqrt().div_(correction).add_(self.eps), value=-size)

    def buffers(self) -> dict[str, Tensor]:
        first = {f"first.{i}": tensor for i, tensor in enumerate(self.first)}
        second = {f"second.{i}": tensor for i, tensor in enumerate(self.second)}
        return {"steps": self.steps} | first | second
