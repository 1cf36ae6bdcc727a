"""Methods that can be compared: networks and baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from n2n_core.evaluation.baselines import Baseline
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights
from n2n_core.models.macs import macs_per_pixel
from n2n_core.models.weights import count_parameters


@dataclass(frozen=True)
class Method:
    """A denoising method.

    Args:
        run: maps ``(N, C, H, W)`` floats in [0, 1] and the pictures' noise levels to the same shape.
        parameters: number of parameters of a network.
        macs: multiply-accumulates per pixel of a network.
    """

    run: Callable[[Tensor, Sequence[float]], Tensor]
    parameters: int | None = None
    macs: float | None = None


def network(path: Path, device: str = "auto", engine: str = "auto") -> Method:
    """Load a weights file as a method. It does not use the noise level."""
    built, _, _ = weights.load(path, engine)
    parameters, macs = count_parameters(built), macs_per_pixel(built)
    denoiser = Denoiser(built, device)
    return Method(lambda noisy, sigmas: denoiser(noisy).cpu(), parameters, macs)


def classical(baseline: Baseline, threads: int = 1) -> Method:
    """Return a baseline as a method, which runs on one picture at a time."""

    def run(noisy: Tensor, sigmas: Sequence[float]) -> Tensor:
        pairs = zip(noisy.numpy(), sigmas, strict=True)
        return torch.stack([torch.from_numpy(baseline(one, sigma, threads)) for one, sigma in pairs])

    return Method(run)
