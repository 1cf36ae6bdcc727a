"""Time two ways to do one thing in turns. On a shared machine only the ratio is reliable."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter


@dataclass(frozen=True)
class Comparison:
    """Median seconds of each way; median and quartiles of the pairs' ratios ``second / first``."""

    first: float
    second: float
    ratio: float
    lower: float
    upper: float


def compare(first: Callable[[], object], second: Callable[[], object], pairs: int) -> Comparison:
    """Time both ways in turns, ``pairs`` times, after two unmeasured turns.

    Which way comes first changes from pair to pair.
    """
    times: list[tuple[float, float]] = []
    for index in range(-2, pairs):
        if index % 2:
            theirs, ours = _seconds(second), _seconds(first)
        else:
            ours, theirs = _seconds(first), _seconds(second)
        if index >= 0:
            times.append((ours, theirs))
    lower, ratio, upper = quantiles((theirs / ours for ours, theirs in times), n=4)
    ours, theirs = (median(column) for column in zip(*times, strict=True))
    return Comparison(ours, theirs, ratio, lower, upper)


def _seconds(act: Callable[[], object]) -> float:
    began = perf_counter()
    act()
    return perf_counter() - began
