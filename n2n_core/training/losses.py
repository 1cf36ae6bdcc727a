"""Loss functions. To list their names takes no torch: it is imported where a loss is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

CHARBONNIER_EPS = 1e-3
"""Errors well below it count as squared, errors well above it as absolute."""

RMSE_EPS = 1e-3
"""A quarter of a grey level. Pictures whose error is far below it count for little."""


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error: ``mean((x - target)^2)``."""
    from torch.nn.functional import mse_loss

    return mse_loss(output, target)


def rmse(output: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of each picture's root mean squared error, smooth at 0."""
    return ((output - target).pow(2).flatten(1).mean(1) + RMSE_EPS**2).sqrt().mean()


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error: ``mean(|x - target|)``."""
    from torch.nn.functional import l1_loss

    return l1_loss(output, target)


def charbonnier(output: Tensor, target: Tensor) -> Tensor:
    """Absolute error that is smooth at 0: ``mean(sqrt((x - target)^2 + eps^2))``."""
    return ((output - target).pow(2) + CHARBONNIER_EPS**2).sqrt().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": mse,
    "rmse": rmse,
    "l1": l1,
    "charbonnier": charbonnier,
}
"""Losses of ``(N, C, H, W)`` outputs and targets by name. Each returns a scalar."""
