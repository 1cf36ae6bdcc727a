"""Noisy copies of clean pictures, a batch at a time, as a recipe says."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from n2n_core.metrics import to_bytes
from n2n_core.noise import Blind, Corruption, Sensor
from n2n_core.recipe import TrainConfig


@dataclass(frozen=True)
class NoisyCopies:
    """Makes inputs and targets; see ``TrainConfig`` for what the fields are."""

    corruption: Corruption
    targets: str = "clean"
    target_copies: int = 1
    rounded: float = 0.0
    grey: float = 0.0

    @classmethod
    def of(cls, config: TrainConfig, corruption: Corruption) -> NoisyCopies:
        """As ``config`` says."""
        return cls(corruption, config.targets, config.target_copies, config.rounded, config.grey)

    def __call__(self, clean: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Inputs and targets of ``(N, 3, H, W)`` floats, another draw for each."""
        grey = self._share(self.grey, clean, generator)
        clean = torch.where(grey, clean.mean(1, keepdim=True), clean)
        level: Corruption | Sensor = self.corruption
        if isinstance(level, Blind):  # both copies have their noise's kind and level in common
            level = level.draw(clean, generator)
        noisy = self._copy(level(clean, generator), grey)
        again = self.targets == "noisy"
        target = self._copy(self._mean(level, clean, generator), grey) if again else level.clean(clean)
        rounded = self._share(self.rounded, clean, generator)
        return torch.where(rounded, to_bytes(noisy).to(noisy.dtype) / 255, noisy), target

    def _mean(self, level: Corruption | Sensor, clean: Tensor, generator: Generator) -> Tensor:
        """Of ``target_copies`` noisy copies."""
        if isinstance(level, Sensor):
            return level.mean_of(self.target_copies)(clean, generator)
        total = level(clean, generator)
        for _ in range(1, self.target_copies):
            total += level(clean, generator)
        return total / self.target_copies

    def _copy(self, noisy: Tensor, grey: Tensor) -> Tensor:
        """Where ``grey``, one channel's noise in all of them."""
        return torch.where(grey, noisy[:, :1], noisy)

    def _share(self, share: float, batch: Tensor, generator: Generator) -> Tensor:
        """True with probability ``share`` for each image, ``(N, 1, 1, 1)``."""
        drawn = torch.rand(len(batch), 1, 1, 1, generator=generator, device=generator.device)
        return (drawn < share).to(batch.device)
