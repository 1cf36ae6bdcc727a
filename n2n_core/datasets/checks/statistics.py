"""A dataset in figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from n2n_core.datasets.checks import measures
from n2n_core.datasets.checks.evidence import SCENES, gather
from n2n_core.datasets.dataset import Dataset


@dataclass(frozen=True)
class Statistics:
    """Counts are of the whole dataset, values of a sample of it.

    Args:
        scenes: in all.
        pictures: shots of all scenes.
        sizes: ``(height, width, scenes)`` of each size, the most frequent first.
        low: smallest value.
        high: largest value.
        mean: of all values.
        clipped: share of the values that are exactly 0 or 1.
        sigma: standard deviation of the noise, in units of [0, 1].
        sampled: scenes that were looked at.
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
        """Ready for JSON."""
        return asdict(self)


def statistics(dataset: Dataset, scenes: int = SCENES, seed: int = 0) -> Statistics:
    """The figures of ``dataset``; values from crops of at most ``scenes`` scenes drawn by ``seed``."""
    evidence = gather(dataset, scenes, seed)
    pictures = evidence.pictures + evidence.seconds
    sigma = measures.pair_sigma(evidence.pairs) if evidence.seconds else measures.blind_sigma(pictures)
    return Statistics(
        scenes=len(dataset),
        pictures=sum(stack.shape[0] * stack.shape[1] for stack in dataset.stacks),
        sizes=_sizes(dataset),
        low=min(float(p.min()) for p in pictures),
        high=max(float(p.max()) for p in pictures),
        mean=float(np.mean([p.mean() for p in pictures])),
        clipped=sum(measures.clipped_share(pictures)),
        sigma=sigma,
        sampled=len(evidence.scenes),
    )


def _sizes(dataset: Dataset) -> tuple[tuple[int, int, int], ...]:
    counts: dict[tuple[int, int], int] = {}
    for stack in dataset.stacks:
        counts[stack.shape[3:]] = counts.get(stack.shape[3:], 0) + stack.shape[0]
    return tuple((*size, count) for size, count in sorted(counts.items(), key=lambda item: -item[1]))
