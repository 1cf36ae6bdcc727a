"""Rules that decide whether the resources stayed flat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.reliability.resources import Sample

SLACK_SHARE, SLACK_MIB = 0.10, 50
Figure = Callable[[Sample], float]

FIGURES: dict[str, Figure] = {
    "RSS, MiB": lambda sample: sample.lasting.rss,
    "PSS, MiB": lambda sample: sample.lasting.pss,
    "descriptors": lambda sample: sample.lasting.descriptors,
    "threads": lambda sample: sample.lasting.threads,
    "processes": lambda sample: sample.lasting.processes,
    "other processes": lambda sample: sample.passing.processes,
    "their RSS, MiB": lambda sample: sample.passing.rss,
    "temporary files": lambda sample: sample.temporary.count,
    "temporary MiB": lambda sample: sample.temporary.bytes / 2**20,
    "files in the data folder": lambda sample: sample.data.count,
    "MiB in the data folder": lambda sample: sample.data.bytes / 2**20,
}
"""Columns of every sample. The first ones are of the service's own process and the devices'."""

EQUAL = "processes", "temporary files", "files in the data folder"
BOUNDED = "RSS, MiB", "PSS, MiB"

POOL = 8
"""Descriptors of the database connections that the pool may open after the warm-up: it keeps five, of two
each."""


def not_flat(warm: Sequence[Sample], start: Sample, end: Sample) -> list[str]:
    """Return the broken rules, from the resources at rest after the warm-up and at the end.

    Memory may be more by a tenth and 50 MiB, descriptors by ``POOL``; threads may be as many as the warm-up
    had under load, for pools keep what they needed; other counts must be equal.
    """
    broken = []
    for name in BOUNDED:
        before, after = FIGURES[name](start), FIGURES[name](end)
        if after > before * (1 + SLACK_SHARE) + SLACK_MIB:
            broken.append(
                f"{name}: {after:.0f} at the end, {before:.0f} after the warm-up: more than 10 % + 50"
            )
    before, after = start.lasting.descriptors, end.lasting.descriptors
    if after > before + POOL:
        broken.append(f"descriptors: {after} at the end, {before} after the warm-up: more than {POOL} more")
    for name in EQUAL:
        before, after = FIGURES[name](start), FIGURES[name](end)
        if after != before:
            broken.append(f"{name}: {after:.0f} at the end, {before:.0f} after the warm-up: not equal")
    most = max(FIGURES["threads"](sample) for sample in [*warm, start])
    if FIGURES["threads"](end) > most:
        broken.append(f"threads: {FIGURES['threads'](end):.0f} at the end, at most {most:.0f} in the warm-up")
    return broken


def slope(samples: Sequence[Sample], figure: Figure, per: int = 10_000) -> float:
    """Return the growth per ``per`` requests by least squares; 0 if there are fewer than two samples."""
    moments = [(sample.requests / per, figure(sample)) for sample in samples]
    middle = [sum(values) / len(moments) for values in zip(*moments, strict=True)] or [0, 0]
    spread = sum((x - middle[0]) ** 2 for x, _ in moments)
    return sum((x - middle[0]) * (y - middle[1]) for x, y in moments) / spread if spread else 0.0
