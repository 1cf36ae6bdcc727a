"""Statistics of a dataset: counts, sizes, values and noise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from n2n_core.datasets.checks import measures
from n2n_core.datasets.checks.crops import SCENES, sample_crops
from n2n_core.datasets.dataset import Dataset


@dataclass(frozen=True)
class Statistics:
    """Statistics of a dataset. Counts are exact, values are estimated from a sample of the scenes.

    Args:
        scenes: number of scenes.
        pictures: number of shots of all scenes.
        sizes: ``(height, width, scenes)`` for each size, most frequent first.
        low: smallest value.
        high: largest value.
        mean: mean of all values.
        clipped: fraction of values that are exactly 0 or 1.
        sigma: standard deviation of the noise, for values in [0, 1].
        sampled: number of scenes in the sample.
    """

    scenes: int
    pictures: int
    sizes: tuple[tuple[int, int, int], ...]
    low: float
    high: float
    mean: float
    clipped: float
    sigma: float
    sampled: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def statistics(dataset: Dataset, scenes: int = SCENES, seed: int = 0) -> Statistics:
    """Compute the statistics of ``dataset`` from crops of at most ``scenes`` scenes, drawn by ``seed``."""
    crops = sample_crops(dataset, scenes, seed)
    pictures = crops.pictures + crops.seconds
    sigma = measures.pair_sigma(crops.pairs) if crops.seconds else measures.blind_sigma(pictures)
    return Statistics(
        scenes=len(dataset),
        pictures=sum(stack.shape[0] * stack.shape[1] for stack in dataset.stacks),
        sizes=_sizes(dataset),
        low=min(float(p.min()) for p in pictures),
        high=max(float(p.max()) for p in pictures),
        mean=float(np.mean([p.mean() for p in pictures])),
        clipped=sum(measures.clipped_share(pictures)),
        sigma=sigma,
        sampled=len(crops.scenes),
    )


def _sizes(dataset: Dataset) -> tuple[tuple[int, int, int], ...]:
    counts: dict[tuple[int, int], int] = {}
    for stack in dataset.stacks:
        counts[stack.shape[3:]] = counts.get(stack.shape[3:], 0) + stack.shape[0]
    return tuple((*size, count) for size, count in sorted(counts.items(), key=lambda item: -item[1]))
