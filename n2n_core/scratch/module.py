"""``Module``, the base class of all layers, containers and losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

from torch import Tensor

from n2n_core.errors import ShapeError

Parameter = list[Tensor]
"""A ``[tensor, gradient]`` pair. Optimisers update the tensor in place."""


class Module:
    """A function with a hand-written derivative.

    ``forward`` maps an input ``x`` to an output ``y`` and, in training mode, saves the tensors that
    ``backward`` needs. ``backward`` takes ``dloss/dy``, *adds* the derivatives of the loss with respect
    to the parameters to their gradients, and returns ``dloss/dx``.
    """

    training = True
    _saved: tuple[Tensor, ...] | None = None

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the output for ``inputs``."""
        raise NotImplementedError

    def backward(self, *grads: Tensor) -> Tensor:
        """Return ``dloss/dx``, given ``dloss/dy``."""
        raise NotImplementedError

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.forward(*(x.detach() for x in inputs))  # autograd must not record anything

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Save ``tensors`` for ``backward``, in training mode only."""
        if self.training:
            self._saved = tensors
            self._versions = [_version(tensor) for tensor in tensors]

    def saved_tensors(self) -> tuple[Tensor, ...]:
        """Return the tensors of the last ``forward``, and release them.

        Raises:
            RuntimeError: there was no ``forward`` in training mode since the last ``backward``, or a saved
                tensor was modified in between.
        """
        name, saved = f"{type(self).__name__}.backward", self._saved
        if saved is None:
            raise RuntimeError(f"{name} needs a forward pass in training mode before it")
        if self._versions != [_version(tensor) for tensor in saved]:
            raise RuntimeError(f"{name} needs a tensor that was modified after the forward pass")
        self._saved = None
        return saved

    def check_grad(self, grad: Tensor, shape: Sequence[int]) -> Tensor:
        """Return ``grad``, or raise ``ShapeError`` unless it has the output's ``shape``."""
        if tuple(grad.shape) != tuple(shape):
            name = f"{type(self).__name__}.backward"
            raise ShapeError(name, "the gradient's shape", tuple(grad.shape), str(tuple(shape)))
        return grad.detach()

    def param(self) -> list[Parameter]:
        """Return the ``[tensor, gradient]`` pairs of this module and its children, in a fixed order."""
        return [pair for _, child in self.children() for pair in child.param()]

    def children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the modules directly inside this one, with their names."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all modules inside it, depth first."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def train(self, mode: bool = True) -> Self:
        """Set training mode, in which ``forward`` saves tensors for ``backward``, or inference mode."""
        for module in self.modules():
            module.training = mode
            if not mode:
                module._saved = None
        return self

    def eval(self) -> Self:
        """Set inference mode: ``forward`` saves nothing, so several threads may share the module."""
        return self.train(False)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move and cast all parameters as ``Tensor.to`` does. Build optimisers afterwards."""
        for _, child in self.children():
            child.to(*args, **kwargs)
        return self

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Return the parameters by name. Names are those of the same network in ``torch.nn``."""
        return {
            key: tensor
            for name, child in self.children()
            for key, tensor in child.state_dict(f"{prefix}{name}.").items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy ``state`` into the parameters.

        Raises:
            ShapeError: names or shapes differ.
        """
        own = self.state_dict()
        if own.keys() != state.keys():
            raise ShapeError("load_state_dict", "names", sorted(state), str(sorted(own)))
        for name, tensor in own.items():
            if tensor.shape != state[name].shape:
                got, expected = tuple(state[name].shape), tuple(tensor.shape)
                raise ShapeError("load_state_dict", name, got, str(expected))
        for name, tensor in own.items():
            tensor.copy_(state[name].detach())


def _version(tensor: Tensor) -> int:
    """Return a number that grows with each write to the tensor. Inference-mode tensors have none: -1."""
    return -1 if tensor.is_inference() else tensor._version
