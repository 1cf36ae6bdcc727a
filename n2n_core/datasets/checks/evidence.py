"""The part of a dataset that is looked at: some scenes, of each a crop, the same for both shots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator

from n2n_core.datasets.checks.measures import Pair, Picture
from n2n_core.datasets.dataset import Dataset

CROP = 256
"""Side of the part that is read of large pictures."""

SCENES = 64


@dataclass(frozen=True)
class Evidence:
    """Crops, and where they come from.

    Args:
        dataset: the whole.
        scenes: the numbers of the scenes, without repetition.
        shots: of each scene, the one shot or the two that were read.
        pictures: the first shots, ``(C, H, W)`` with C as stored.
        seconds: the second shots; empty if scenes have one.
    """

    dataset: Dataset
    scenes: list[int]
    shots: list[tuple[int, ...]]
    pictures: list[Picture]
    seconds: list[Picture]

    @property
    def pairs(self) -> list[Pair]:
        """Both shots of each scene."""
        return list(zip(self.pictures, self.seconds, strict=True))


def gather(dataset: Dataset, scenes: int = SCENES, seed: int = 0) -> Evidence:
    """Read crops of at most ``scenes`` scenes, drawn by ``seed``; of bursts two shots, drawn too."""
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
    return Evidence(dataset, chosen, shots, *pictures)


def _crop(side: int, generator: Generator) -> slice:
    start = int(torch.randint(max(side - CROP, 0) + 1, (), generator=generator))
    return slice(start, start + CROP)
