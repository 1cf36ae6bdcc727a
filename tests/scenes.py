"""Datasets in memory, of every kind, whose clean pictures are known."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from n2n_core.datasets.scenes import TensorScenes

SIGMA = 0.1
SHOTS = {"pairs": 2, "bursts": 4, "single": 1, "clean": 1}


def smooth(count: int, height: int = 16, width: int = 16, seed: int = 0) -> Tensor:
    """Pictures of one slow wave each: ``(N, 3, H, W)`` in [0.2, 0.8]."""
    generator = Generator().manual_seed(seed)
    phase, slope = torch.rand(2, count, 3, 1, 1, generator=generator) * 3
    y, x = torch.arange(height).view(-1, 1) / height, torch.arange(width) / width
    return 0.5 + 0.3 * torch.sin(phase * 2 + slope * y + (3 - slope) * x)


def noisy(clean: Tensor, shots: int, seed: int = 0) -> list[Tensor]:
    """Shots of the same scenes with Gaussian noise of ``SIGMA``."""
    generator = Generator().manual_seed(seed)
    return [clean + SIGMA * torch.randn(clean.shape, generator=generator) for _ in range(shots)]


def scenes(kind: str, count: int = 20, height: int = 16, width: int = 16, seed: int = 0) -> TensorScenes:
    """Smooth pictures, noisy as ``kind`` says."""
    clean = smooth(count, height, width, seed)
    if kind == "clean":
        return TensorScenes(kind, clean, corruption={"name": "gaussian", "sigma": SIGMA})
    return TensorScenes(kind, *noisy(clean, SHOTS[kind], seed))


class MixedScenes:
    """Two shots of scenes of different sizes, ``(2, 3, H, W)`` each; the colour tells the pixel."""

    kind = "pairs"
    corruption: dict[str, Any] | None = None

    def __init__(self, sizes: Sequence[tuple[int, int]]) -> None:
        self.pictures = [
            torch.stack([base, base + 0.5])
            for height, width in sizes
            for base in [torch.arange(3.0 * height * width).view(3, height, width)]
        ]
        self.fingerprint = str(sizes)

    def __len__(self) -> int:
        return len(self.pictures)

    def shots(self, scene: int) -> int:
        return 2

    def shape(self, scene: int) -> tuple[int, int, int]:
        _, c, h, w = self.pictures[scene].shape
        return c, h, w

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        return self.pictures[scene][shot, :, rows, columns]

    def draw(self, scenes: Sequence[int], generator: Generator, device: torch.device, crop: int) -> None:
        """Pictures of different sizes are read one by one."""
