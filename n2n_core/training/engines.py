"""Training steps on both engines: torch.nn and the scratch framework."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from n2n_core import scratch
from n2n_core.models.torch_modules import Network
from n2n_core.models.training_form import Forward, training_form
from n2n_core.training.config import TrainConfig
from n2n_core.training.cuda_step import StepGraph
from n2n_core.training.losses import LOSSES
from n2n_core.training.optimizers import OPTIMIZERS


class Engine(Protocol):
    """A network with its loss and its optimizer."""

    @property
    def network(self) -> Network:
        """The network that is trained."""
        ...

    def step(
        self, noisy: Tensor, target: Tensor, lr: float, expected: Tensor | None = None, gamma: float = 0.0
    ) -> Tensor:
        """Update the weights once and return the loss, a scalar on the device.

        Args:
            noisy: ``(N, 3, H, W)`` floats, nominally in [0, 1].
            target: the same.
            lr: learning rate.
            expected: difference of output and target for a perfect network (``neighbor2neighbor.py``). If
                given, the loss is ``loss + gamma mean((output - target - expected)^2)``.
            gamma: weight of that term.
        """
        ...

    def predict(self, noisy: Tensor) -> Tensor:
        """Return the network's output in evaluation mode."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the weights and the optimizer's state: all that the next step depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a ``state_dict``."""
        ...


class TorchEngine:
    """torch.nn with autograd, channels last, optionally in bfloat16 with float32 weights."""

    def __init__(self, network: nn.Module, config: TrainConfig, device: torch.device) -> None:
        self.network: nn.Module = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = OPTIMIZERS[config.optimizer]
        graph = device.type == "cuda" and optimizer.capturable
        self.lr = torch.zeros((), device=device) if graph else 0.0  # a recorded step reads it on the device
        self.optimizer = optimizer.torch(self.network.parameters(), self.lr, config.momentum, device)
        self.loss, self.max_norm, self.device = LOSSES[config.loss], config.max_norm, device
        self.dtype: torch.dtype = getattr(torch, config.precision)
        self.reduced = self.dtype != torch.float32
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
        # A cache of reduced weights would outlive the recording of the step that filled it.
        with torch.autocast(self.device.type, self.dtype, enabled=self.reduced, cache_enabled=False):
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
        # Only the optimizer's state: its options depend on this device, not on that of the run before.
        own = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict(state["optimizer"] | {"param_groups": own})
        for group in self.optimizer.param_groups:  # load_state_dict copied the tensor
            group["lr"] = self.lr
        if self.graph:
            self.graph.forget()


class ScratchEngine:
    """The scratch framework: backward passes and optimizers written by hand."""

    def __init__(self, network: scratch.Module, config: TrainConfig, device: torch.device) -> None:
        config.check_engine("scratch")
        self.network = network.to(device)
        self.loss, self.regulariser = scratch.MSE(), scratch.MSE()
        self.optimizer = OPTIMIZERS[config.optimizer].scratch(network.param(), config.momentum)

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


def make_engine(network: Network, config: TrainConfig, device: torch.device) -> Engine:
    """Return the engine that ``network`` is built on, with the loss and the optimizer of ``config``.

    Raises:
        ConfigError: the scratch engine does not implement what the recipe asks for.
    """
    if isinstance(network, scratch.Module):
        return ScratchEngine(network, config, device)
    return TorchEngine(network, config, device)
