"""The part of a dataset that the checks look at: a crop of some scenes, the same for both shots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator

from n2n_core.datasets.checks.measures import Pair, Picture
from n2n_core.datasets.dataset import Dataset

CROP = 256
"""Largest side of a crop, in pixels."""

SCENES = 64
"""Largest number of scenes, unless the caller asks for another."""


@dataclass(frozen=True)
class SampledCrops:
    """Crops of a dataset, and where they come from.

    Args:
        dataset: the whole dataset.
        scenes: numbers of the scenes, each once.
        shots: for each scene, the numbers of the one or two shots that were read.
        pictures: crops of the first shots, ``(C, H, W)`` with C as stored.
        seconds: crops of the second shots. Empty if scenes have one shot.
    """

    dataset: Dataset
    scenes: list[int]
    shots: list[tuple[int, ...]]
    pictures: list[Picture]
    seconds: list[Picture]

    @property
    def pairs(self) -> list[Pair]:
        """Both crops of each scene."""
        return list(zip(self.pictures, self.seconds, strict=True))


def sample_crops(dataset: Dataset, scenes: int = SCENES, seed: int = 0) -> SampledCrops:
    """Read crops of at most ``scenes`` scenes, drawn by ``seed``, and of each burst two shots."""
    generator = Generator().manual_seed(seed)
    chosen = sorted(torch.randperm(len(dataset), generator=generator)[:scenes].tolist())
    shots: list[tuple[int, ...]] = []
    pictures: list[list[Picture]] = [[], []]
    for scene in chosen:
        drawn = torch.randperm(dataset.shots(scene), generator=generator)[:2].sort().values
        shots.append(tuple(drawn.tolist()))
        channels, *size = dataset.shape(scene)
        rows, columns = (_crop(side, generator) for side in size)
        for kept, shot in zip(pictures, shots[-1], strict=False):
            kept.append(dataset.read(scene, shot, rows, columns)[:channels].numpy())
    return SampledCrops(dataset, chosen, shots, *pictures)


def _crop(side: int, generator: Generator) -> slice:
    start = int(torch.randint(max(side - CROP, 0) + 1, (), generator=generator))
    return slice(start, start + CROP)
