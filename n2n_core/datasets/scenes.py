"""Data to train on: scenes, each in one or more shots of the same size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.models import weights

SHOTS = {"pairs": 2, "bursts": 2, "single": 1, "clean": 1}
"""The kinds of data, and how many shots a scene must have at least."""


class Scenes(Protocol):
    """A dataset: scenes, each in one or more shots of the same size."""

    @property
    def kind(self) -> str:
        """A key of ``SHOTS``."""
        ...

    @property
    def fingerprint(self) -> str:
        """Another one for other data."""
        ...

    @property
    def corruption(self) -> dict[str, Any] | None:
        """For clean pictures: a noise's name, and its parameters."""
        ...

    def __len__(self) -> int:
        """How many scenes there are."""
        ...

    def shots(self, scene: int) -> int:
        """How many shots of a scene there are."""
        ...

    def shape(self, scene: int) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        ...

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """A window of a shot, ``(3, h, w)`` float32, nominally in [0, 1], never clipped."""
        ...

    def draw(
        self, scenes: Sequence[int], generator: Generator, device: torch.device, crop: int
    ) -> tuple[Tensor, Tensor] | None:
        """Return whole noisy pairs of many scenes at once, or None if windows must be read one by one.

        Args:
            scenes: numbers of ``n`` scenes.
            generator: random numbers on ``device``, for data that make their shots when they are read.
            device: where the pairs are needed.
            crop: side of the windows that are trained on; larger pictures may have to be cropped.

        Returns:
            Two shots, each ``(n, 3, H, W)`` float32 on ``device``.
        """
        ...


class TensorScenes:
    """Scenes of one size in memory.

    Args:
        kind: a key of ``SHOTS``.
        pictures: a tensor ``(N, 3, H, W)`` for each shot.
        corruption: for clean pictures.
        peak: the value that becomes 1.
    """

    def __init__(
        self, kind: str, *pictures: Tensor, corruption: dict[str, Any] | None = None, peak: float = 1.0
    ) -> None:
        self.kind, self.pictures, self.corruption, self.peak = kind, pictures, corruption, peak

    @classmethod
    def of(cls, pairs: Pairs) -> TensorScenes:
        """Pairs with values from 0 to 255."""
        return cls("pairs", *pairs, peak=255.0)

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all pictures."""
        return weights.fingerprint(*self.pictures)

    def __len__(self) -> int:
        return len(self.pictures[0])

    def shots(self, scene: int) -> int:
        """The same for all scenes."""
        return len(self.pictures)

    def shape(self, scene: int) -> tuple[int, int, int]:
        """The same for all scenes."""
        c, h, w = self.pictures[0].shape[1:]
        return c, h, w

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """A window of a shot, ``(3, h, w)``."""
        return self.pictures[shot][scene, :, rows, columns].float() / self.peak

    def draw(
        self, scenes: Sequence[int], generator: Generator, device: torch.device, crop: int
    ) -> tuple[Tensor, Tensor] | None:
        """Return pairs that fit in one crop: what ``read`` gives, in a few operations."""
        if self.kind != "pairs" or max(self.shape(0)[1:]) > crop:
            return None
        first, second = (self._stack(pictures, scenes, device) for pictures in self.pictures[:2])
        return first, second

    def _stack(self, pictures: Tensor, scenes: Sequence[int], device: torch.device) -> Tensor:
        index = torch.tensor(scenes, device=pictures.device)
        return pictures[index].to(device).float() / self.peak
