"""Noisy copies of clean pictures, one batch at a time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor

from n2n_core.image.rounding import to_bytes
from n2n_core.noise.camera import Sensor
from n2n_core.noise.corruptions import Blind, Corruption
from n2n_core.noise.jpeg_artifacts import compress_randomly
from n2n_core.training.config import TrainConfig


@dataclass(frozen=True)
class NoisyCopies:
    """Makes inputs and targets. The fields are those of ``TrainConfig``."""

    corruption: Corruption
    targets: str = "clean"
    target_copies: int = 1
    rounded: float = 0.0
    jpeg: float = 0.0
    grey: float = 0.0

    @classmethod
    def of(cls, config: TrainConfig, corruption: Corruption) -> NoisyCopies:
        """Take the fields from ``config``."""
        names = (field.name for field in fields(cls) if field.name != "corruption")
        return cls(corruption, **{name: getattr(config, name) for name in names})

    def __call__(self, clean: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return inputs and targets for ``(N, 3, H, W)`` floats, each picture with its own noise."""
        grey = self._share(self.grey, clean, generator)
        clean = torch.where(grey, clean.mean(1, keepdim=True), clean)
        level: Corruption | Sensor = self.corruption
        if isinstance(level, Blind):  # both copies have noise of the same kind and level
            level = level.draw(clean, generator)
        noisy = self._copy(level(clean, generator), grey)
        again = self.targets == "noisy"
        target = self._copy(self._mean(level, clean, generator), grey) if again else level.clean(clean)
        rounded = self._share(self.rounded, clean, generator)
        seen = torch.where(rounded, to_bytes(noisy).to(noisy.dtype) / 255, noisy)
        if self.jpeg and (chosen := self._share(self.jpeg, clean, generator).flatten()).any():
            seen[chosen] = compress_randomly(noisy[chosen], generator)
        return seen, target

    def _mean(self, level: Corruption | Sensor, clean: Tensor, generator: Generator) -> Tensor:
        """Return the mean of ``target_copies`` noisy copies."""
        if isinstance(level, Sensor):
            return level.mean_of(self.target_copies)(clean, generator)
        total = level(clean, generator)
        for _ in range(1, self.target_copies):
            total += level(clean, generator)
        return total / self.target_copies

    def _copy(self, noisy: Tensor, grey: Tensor) -> Tensor:
        """Give all channels of ``grey`` pictures the noise of the first."""
        return torch.where(grey, noisy[:, :1], noisy)

    def _share(self, share: float, batch: Tensor, generator: Generator) -> Tensor:
        """Return True with probability ``share`` for each image, ``(N, 1, 1, 1)``."""
        drawn = torch.rand(len(batch), 1, 1, 1, generator=generator, device=generator.device)
        return (drawn < share).to(batch.device)
