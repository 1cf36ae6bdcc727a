"""Module: what every layer and container of the framework is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

from torch import Tensor

from n2n_core.errors import ShapeError

Parameter = list[Tensor]
"""A ``[tensor, gradient]`` pair; the optimisers update the tensor in place."""


class Module:
    """A function with a hand-written derivative.

    ``forward`` maps an input to an output and, in training mode, keeps what
    ``backward`` needs. ``backward`` takes the derivative of the loss by the
    output, *adds* the derivatives by the parameters to their gradients, and
    returns the derivative by the input.
    """

    training = True
    _saved: tuple[Tensor, ...] | None = None

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the output for ``inputs``."""
        raise NotImplementedError

    def backward(self, *grads: Tensor) -> Tensor:
        """Return dloss/dinput, given dloss/doutput."""
        raise NotImplementedError

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.forward(*(x.detach() for x in inputs))  # autograd has no part in this

    def keep(self, *tensors: Tensor) -> None:
        """In training mode: hold ``tensors`` for ``backward``."""
        if self.training:
            self._saved = tensors
            self._versions = [_version(tensor) for tensor in tensors]

    def recall(self) -> tuple[Tensor, ...]:
        """What the last forward kept, once: every backward needs a forward of its own."""
        name, saved = f"{type(self).__name__}.backward", self._saved
        if saved is None:
            raise RuntimeError(f"{name} needs a forward in training mode before it")
        if self._versions != [_version(tensor) for tensor in saved]:
            raise RuntimeError(f"{name} needs a tensor that was written to after the forward")
        self._saved = None
        return saved

    def received(self, grad: Tensor, shape: Sequence[int]) -> Tensor:
        """``grad``, if it has the output's ``shape``."""
        if tuple(grad.shape) != tuple(shape):
            name = f"{type(self).__name__}.backward"
            raise ShapeError(name, "the gradient's shape", tuple(grad.shape), str(tuple(shape)))
        return grad.detach()

    def param(self) -> list[Parameter]:
        """All ``[tensor, gradient]`` pairs, of the children too, in a fixed order."""
        return [pair for _, child in self.children() for pair in child.param()]

    def children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside this one, with their names."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def modules(self) -> Iterator[Module]:
        """This module and all those inside it, depth first."""
        yield self
        for _, child in self.children():
            yield from child.modules()

    def train(self, mode: bool = True) -> Self:
        """Keep what ``backward`` needs (``mode=True``), or nothing at all."""
        for module in self.modules():
            module.training = mode
            if not mode:
                module._saved = None
        return self

    def eval(self) -> Self:
        """Inference mode: nothing is kept, so threads may share the module."""
        return self.train(False)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move and cast all parameters, as ``Tensor.to`` does; optimisers are built after it."""
        for _, child in self.children():
            child.to(*args, **kwargs)
        return self

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """The parameters by name, named as ``torch.nn`` would."""
        return {
            key: tensor
            for name, child in self.children()
            for key, tensor in child.state_dict(f"{prefix}{name}.").items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy ``state`` into the parameters; names and shapes must match exactly."""
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
    """Grows with every write to the tensor's memory; those made in inference mode have none."""
    return -1 if tensor.is_inference() else tensor._version
