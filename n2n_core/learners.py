"""What the training loop needs of an engine: one for torch.nn, one for the scratch framework."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from n2n_core import scratch
from n2n_core.errors import ConfigError
from n2n_core.networks import Network

OPTIMIZERS = ("adam", "sgd")
PRECISIONS = ("float32", "bfloat16")


class Learner(Protocol):
    """A network, its loss and its optimiser."""

    @property
    def network(self) -> Network:
        """The network that learns."""
        ...

    def step(self, noisy: Tensor, target: Tensor, lr: float) -> Tensor:
        """One update on a batch of floats in [0, 1]; returns the loss, a scalar on the device."""
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
        self, network: nn.Module, optimizer: str, momentum: float, precision: str, device: torch.device
    ) -> None:
        self.network: nn.Module = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        params = self.network.parameters()
        self.optimizer = (
            torch.optim.Adam(params) if optimizer == "adam" else torch.optim.SGD(params, momentum=momentum)
        )
        self.device, self.reduced = device, precision == "bfloat16"

    def step(self, noisy: Tensor, target: Tensor, lr: float) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.network.train()
        with torch.enable_grad():
            output = self._forward(noisy)
            loss = nn.functional.mse_loss(output, target)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()

    def predict(self, noisy: Tensor) -> Tensor:
        self.network.eval()
        with torch.no_grad():
            return self._forward(noisy)

    def _forward(self, noisy: Tensor) -> Tensor:
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced):
            output: Tensor = self.network(noisy)
        return output.float()

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])


class ScratchLearner:
    """The scratch framework: its own backward passes and optimisers."""

    def __init__(
        self, network: scratch.Module, optimizer: str, momentum: float, precision: str, device: torch.device
    ) -> None:
        if precision != "float32":
            raise ConfigError(f"precision is {precision!r}, expected 'float32' for a scratch network")
        self.network = network.to(device)
        self.loss = scratch.MSE()
        params = network.param()
        self.optimizer: scratch.Optimizer = (
            scratch.Adam(params) if optimizer == "adam" else scratch.SGD(params, lr=0.0, momentum=momentum)
        )

    def step(self, noisy: Tensor, target: Tensor, lr: float) -> Tensor:
        self.optimizer.lr = lr
        self.network.train()
        loss = self.loss(self.network(noisy), target)
        self.optimizer.zero_grad()
        self.network.backward(self.loss.backward())
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
    network: Network, optimizer: str, momentum: float, precision: str, device: torch.device
) -> Learner:
    """The learner for the engine that ``network`` is built on."""
    if isinstance(network, scratch.Module):
        return ScratchLearner(network, optimizer, momentum, precision, device)
    return TorchLearner(network, optimizer, momentum, precision, device)
