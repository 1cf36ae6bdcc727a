"""The interface of training data: scenes with one or more shots of equal size each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.models import weights

SHOTS = {"pairs": 2, "bursts": 2, "single": 1, "clean": 1}
"""Least number of shots of a scene, for each kind of data."""


class Scenes(Protocol):
    """A source of training data: scenes with one or more shots of equal size each."""

    @property
    def kind(self) -> str:
        """Kind of data, a key of ``SHOTS``."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of the data."""
        ...

    @property
    def corruption(self) -> dict[str, Any] | None:
        """Noise to add to clean pictures: its name and parameters. None for other kinds."""
        ...

    def __len__(self) -> int:
        """Number of scenes."""
        ...

    def shots(self, scene: int) -> int:
        """Return the number of shots of a scene."""
        ...

    def shape(self, scene: int) -> tuple[int, int, int]:
        """Return the shape ``(C, H, W)`` of a scene's shots."""
        ...

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """Return a window of a shot, ``(3, h, w)`` float32, nominally in [0, 1] and never clipped."""
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
    """Scenes of equal size, in memory.

    Args:
        kind: a key of ``SHOTS``.
        pictures: a tensor ``(N, 3, H, W)`` for each shot.
        corruption: noise to add to clean pictures.
        peak: value of white, by which pictures are divided.
    """

    def __init__(
        self, kind: str, *pictures: Tensor, corruption: dict[str, Any] | None = None, peak: float = 1.0
    ) -> None:
        self.kind, self.pictures, self.corruption, self.peak = kind, pictures, corruption, peak

    @classmethod
    def of(cls, pairs: Pairs) -> TensorScenes:
        """Return scenes of pairs with values from 0 to 255."""
        return cls("pairs", *pairs, peak=255.0)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all pictures."""
        return weights.fingerprint(*self.pictures)

    def __len__(self) -> int:
        return len(self.pictures[0])

    def shots(self, scene: int) -> int:
        """Return the number of shots, the same for all scenes."""
        return len(self.pictures)

    def shape(self, scene: int) -> tuple[int, int, int]:
        """Return the shape ``(C, H, W)``, the same for all scenes."""
        c, h, w = self.pictures[0].shape[1:]
        return c, h, w

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        """Return a window of a shot, ``(3, h, w)``."""
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
