"""Exponential moving average of a network's weights. It is often better than the weights themselves.

With a decay ``d``, the weights ``w`` after a step enter as ``m <- d m + (1 - d) w``: a mean over about the
last ``1 / (1 - d)`` steps. ``d`` is smaller in the first steps, so that random initial weights are soon
forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from n2n_core.models.torch_modules import Network


class EMA:
    """Exponential moving average of the weights of ``network``. With a ``decay`` of 0 nothing is averaged."""

    def __init__(self, network: Network, decay: float) -> None:
        self.network, self.decay = network, decay
        self.mean = {name: tensor.detach().clone() for name, tensor in self._own().items()} if decay else {}

    def update(self, step: int) -> None:
        """Add the weights after training step ``step``, counted from 1."""
        if not self.mean:
            return
        own = self._own()
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.mean.values()),
                [own[name] for name in self.mean],
                1 - min(self.decay, step / (step + 9)),
            )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the average as its weights within the block, if there is one."""
        if not self.mean:
            yield
            return
        own = {name: tensor.detach().clone() for name, tensor in self._own().items()}
        self.network.load_state_dict(self.mean)
        try:
            yield
        finally:
            self.network.load_state_dict(own)

    def load(self, mean: dict[str, Tensor]) -> None:
        """Restore a saved ``mean``."""
        for name, tensor in self.mean.items():
            tensor.copy_(mean[name])

    def _own(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.network.state_dict()
        return state
