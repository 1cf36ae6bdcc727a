"""What the training loop needs of an engine: one for torch.nn, one for the scratch framework."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from n2n_core import scratch
from n2n_core.errors import ConfigError
from n2n_core.models.torch_modules import Network
from n2n_core.models.training_form import Forward, training_form
from n2n_core.training.cuda_step import StepGraph

CHARBONNIER = 1e-3
"""Errors well below it count as squared, well above it as absolute."""


ROUGHNESS = 1e-3
"""A quarter of a grey level: pictures whose error is far below it count for little."""


def charbonnier(output: Tensor, target: Tensor) -> Tensor:
    """``mean(sqrt((x - target)^2 + eps^2))``: absolute error, smooth at 0."""
    return ((output - target).pow(2) + CHARBONNIER**2).sqrt().mean()


def rmse(output: Tensor, target: Tensor) -> Tensor:
    """The mean of the pictures' own root mean squared errors, smooth at 0."""
    return ((output - target).pow(2).flatten(1).mean(1) + ROUGHNESS**2).sqrt().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": nn.functional.mse_loss,
    "rmse": rmse,
    "l1": nn.functional.l1_loss,
    "charbonnier": charbonnier,
}


class Learner(Protocol):
    """A network, its loss and its optimiser."""

    @property
    def network(self) -> Network:
        """The network that learns."""
        ...

    def step(
        self, noisy: Tensor, target: Tensor, lr: float, expected: Tensor | None = None, gamma: float = 0.0
    ) -> Tensor:
        """One update on a batch of floats in [0, 1]; returns the loss, a scalar on the device.

        With ``expected``, the difference of output and target that a perfect network would give
        (``neighbor2neighbor.py``), the loss is ``loss + gamma mean((output - target - expected)^2)``.
        """
        ...

    def predict(self, noisy: Tensor) -> Tensor:
        """The network's output, without training."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Weights and the optimiser's memory: all that the next step depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state`` was taken."""
        ...


class TorchLearner:
    """torch.nn with autograd, channels last; optionally in bfloat16 with float32 weights."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: str,
        momentum: float,
        precision: str,
        device: torch.device,
        loss: str = "mse",
        max_norm: float | None = None,
    ) -> None:
        self.network: nn.Module = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        params, fused = self.network.parameters(), device.type in ("cpu", "cuda")
        graph = device.type == "cuda" and optimizer == "adam"
        self.lr = torch.zeros((), device=device) if graph else 0.0  # what is recorded reads it on the device
        self.optimizer = (
            torch.optim.Adam(params, lr=self.lr, fused=fused, capturable=graph)
            if optimizer == "adam"
            else torch.optim.SGD(params, lr=self.lr, momentum=momentum, fused=fused)
        )
        self.loss = LOSSES[loss]
        self.device, self.reduced, self.max_norm = device, precision == "bfloat16", max_norm
        self.form = self.network if self.reduced else training_form(self.network, device)
        self.graph = StepGraph(self._step, device) if graph else None

    def step(
        self, noisy: Tensor, target: Tensor, lr: float, expected: Tensor | None = None, gamma: float = 0.0
    ) -> Tensor:
        self._set_lr(lr)
        self.network.train()
        if self.graph and expected is None:
            return self.graph(noisy, target)
        return self._step(noisy, target, expected, gamma)

    def _step(
        self, noisy: Tensor, target: Tensor, expected: Tensor | None = None, gamma: float = 0.0
    ) -> Tensor:
        with torch.enable_grad():
            output = self._forward(self.form, noisy)
            loss = self.loss(output, target)
            if expected is not None:
                loss = loss + gamma * nn.functional.mse_loss(output, target + expected)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        if self.max_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm)
        self.optimizer.step()
        return loss.detach()

    def predict(self, noisy: Tensor) -> Tensor:
        self.network.eval()
        with torch.no_grad():
            return self._forward(self.network, noisy)

    def _forward(self, form: Forward, noisy: Tensor) -> Tensor:
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        # A cache of reduced weights would outlive the recording of a step that it was filled in.
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced, cache_enabled=False):
            output: Tensor = form(noisy)
        return output.float()

    def _set_lr(self, lr: float) -> None:
        if isinstance(self.lr, Tensor):
            self.lr.fill_(lr)
            return
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        # Of the optimiser its memory alone: how it works is this device's, not that of the run before.
        own = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict(state["optimizer"] | {"param_groups": own})
        for group in self.optimizer.param_groups:  # it was copied
            group["lr"] = self.lr
        if self.graph:
            self.graph.forget()


class ScratchLearner:
    """The scratch framework: its own backward passes and optimisers."""

    def __init__(
        self,
        network: scratch.Module,
        optimizer: str,
        momentum: float,
        precision: str,
        device: torch.device,
        loss: str = "mse",
    ) -> None:
        for name, value, only in (("precision", precision, "float32"), ("loss", loss, "mse")):
            if value != only:
                raise ConfigError(f"{name} is {value!r}, expected {only!r} for a scratch network")
        self.network = network.to(device)
        self.loss, self.regulariser = scratch.MSE(), scratch.MSE()
        params = network.param()
        self.optimizer: scratch.Optimizer = (
            scratch.Adam(params) if optimizer == "adam" else scratch.SGD(params, lr=0.0, momentum=momentum)
        )

    def step(
        self, noisy: Tensor, target: Tensor, lr: float, expected: Tensor | None = None, gamma: float = 0.0
    ) -> Tensor:
        self.optimizer.lr = lr
        self.network.train()
        output = self.network(noisy)
        loss = self.loss(output, target)
        grad = self.loss.backward()
        if expected is not None:
            loss = loss + gamma * self.regulariser(output, target + expected)
            grad = grad + gamma * self.regulariser.backward()
        self.optimizer.zero_grad()
        self.network.backward(grad)
        self.optimizer.step()
        return loss

    def predict(self, noisy: Tensor) -> Tensor:
        return self.network.eval()(noisy)

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.buffers()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        for name, buffer in self.optimizer.buffers().items():
            buffer.copy_(state["optimizer"][name])


def make_learner(
    network: Network,
    optimizer: str,
    momentum: float,
    precision: str,
    device: torch.device,
    loss: str = "mse",
    max_norm: float | None = None,
) -> Learner:
    """The learner for the engine that ``network`` is built on; ``loss`` is one of ``LOSSES``."""
    if isinstance(network, scratch.Module):
        return ScratchLearner(network, optimizer, momentum, precision, device, loss)
    return TorchLearner(network, optimizer, momentum, precision, device, loss, max_norm)
