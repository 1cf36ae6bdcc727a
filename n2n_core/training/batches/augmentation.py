"""Random changes to the pairs of a batch, an independent draw for each pair."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def swap(noisy: Tensor, target: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Exchange the two images of each pair with probability 1/2."""
    chosen = _coins(noisy, generator)
    return torch.where(chosen, target, noisy), torch.where(chosen, noisy, target)


def augment(noisy: Tensor, target: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Turn each pair into one of its 8 flips and 90-degree rotations (4 if not square)."""
    both = torch.cat([noisy, target], dim=1)
    for axis in (2, 3):
        both = torch.where(_coins(noisy, generator), both.flip(axis), both)
    if both.shape[2] == both.shape[3]:
        both = torch.where(_coins(noisy, generator), both.transpose(2, 3), both)
    return both[:, : noisy.shape[1]], both[:, noisy.shape[1] :]


def _coins(batch: Tensor, generator: Generator) -> Tensor:
    """Return a fair coin for each image, ``(N, 1, 1, 1)``."""
    drawn = torch.rand(len(batch), 1, 1, 1, generator=generator, device=generator.device)
    return (drawn < 0.5).to(batch.device)
