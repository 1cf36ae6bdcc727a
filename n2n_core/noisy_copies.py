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
    """Makes inputs and targets; see ``TrainConfig`` for ``targets``, ``rounded`` and ``grey``."""

    corruption: Corruption
    targets: str = "clean"
    rounded: float = 0.0
    grey: float = 0.0

    @classmethod
    def of(cls, config: TrainConfig, corruption: Corruption) -> NoisyCopies:
        """As ``config`` says."""
        return cls(corruption, config.targets, config.rounded, config.grey)

    def __call__(self, clean: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Inputs and targets of ``(N, 3, H, W)`` floats, another draw for each."""
        grey = self._share(self.grey, clean, generator)
        clean = torch.where(grey, clean.mean(1, keepdim=True), clean)
        level: Corruption | Sensor = self.corruption
        if isinstance(level, Blind):  # both copies have their noise's kind and level in common
            level = level.draw(clean, generator)
        noisy = self._copy(level(clean, generator), grey)
        again = self.targets == "noisy"
        target = self._copy(level(clean, generator), grey) if again else level.clean(clean)
        rounded = self._share(self.rounded, clean, generator)
        return torch.where(rounded, to_bytes(noisy).to(noisy.dtype) / 255, noisy), target

    def _copy(self, noisy: Tensor, grey: Tensor) -> Tensor:
        """Where ``grey``, one channel's noise in all of them."""
        return torch.where(grey, noisy[:, :1], noisy)

    def _share(self, share: float, batch: Tensor, generator: Generator) -> Tensor:
        """True with probability ``share`` for each image, ``(N, 1, 1, 1)``."""
        drawn = torch.rand(len(batch), 1, 1, 1, generator=generator, device=generator.device)
        return (drawn < share).to(batch.device)
