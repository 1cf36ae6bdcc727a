"""Optimizers on both engines. To list their names takes no torch: it is imported where one is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, device
    from torch.optim import Optimizer as TorchOptimizer

    from n2n_core import scratch


class Optimizer(NamedTuple):
    """Constructors of one optimizer.

    Args:
        torch: takes the parameters, lr, momentum and the device.
        scratch: takes the parameters of a scratch network and momentum. The lr is set at each step.
        capturable: whether a CUDA graph can record a step of it. lr is then a tensor on the device.
    """

    torch: Callable[[Iterable[Any], float | Tensor, float, device], TorchOptimizer]
    scratch: Callable[[list[Any], float], scratch.Optimizer]
    capturable: bool


def _torch_adam(params: Iterable[Any], lr: float | Tensor, momentum: float, device: device) -> TorchOptimizer:
    from torch.optim import Adam

    return Adam(params, lr=lr, fused=_fuses(device), capturable=device.type == "cuda")


def _torch_sgd(params: Iterable[Any], lr: float | Tensor, momentum: float, device: device) -> TorchOptimizer:
    from torch.optim import SGD

    return SGD(params, lr=lr, momentum=momentum, fused=_fuses(device))


def _scratch_adam(params: list[Any], momentum: float) -> scratch.Optimizer:
    from n2n_core import scratch

    return scratch.Adam(params)


def _scratch_sgd(params: list[Any], momentum: float) -> scratch.Optimizer:
    from n2n_core import scratch

    return scratch.SGD(params, lr=0.0, momentum=momentum)


def _fuses(device: device) -> bool:
    """Return whether torch has fused optimizers for ``device``."""
    return device.type in ("cpu", "cuda")


OPTIMIZERS = {
    "adam": Optimizer(_torch_adam, _scratch_adam, capturable=True),
    "sgd": Optimizer(_torch_sgd, _scratch_sgd, capturable=False),
}
