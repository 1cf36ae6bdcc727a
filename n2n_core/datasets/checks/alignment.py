"""Whether the two shots lie on each other: one shift for all scenes, or a hand that moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from n2n_core.datasets.checks.evidence import Evidence
from n2n_core.datasets.checks.measures import Pair, Picture
from n2n_core.datasets.checks.registration import Shift, find_shift
from n2n_core.datasets.checks.report import Check, Verdict

SHIFT = 0.1
"""Pixels above which a shift is warned of, if it is 3 standard errors too."""
MOVED = 0.3
"""Pixels above which a single scene counts as moved."""
AGREE = 0.35
"""Distance of two estimates of one shift, in its length, up to which they confirm each other."""
SHARE = 0.25
"""Share of moved scenes above which they are warned of."""
PATCH = 64
PATCHES = 96
SINGLE_SCENES = 16

Grey = tuple[NDArray[np.float32], NDArray[np.float32]]

ADVICE = (
    "use a tripod and a remote release, or align the shots before the import (by whole pixels where "
    "possible: interpolation blurs the noise); a network trained on shifted pairs blurs"
)


def check_shift(evidence: Evidence) -> Check:
    """The shift that all pairs share, from the mean cross-power spectrum; then each scene's own."""
    found, sure = _common(evidence)
    own = [shift for shift in map(_own, evidence.pairs[:SINGLE_SCENES]) if shift is not None]
    moved = [shift.size for shift in own if shift.size > MOVED]
    figure, verdict = found.size, _verdict(sure)
    message = (
        "no shift can be seen"
        if not np.isfinite(found.error)
        else f"the second shot lies {found.columns:+.2f} pixels to the right and {found.rows:+.2f} down "
        f"(standard error {found.error:.2f})"
    )
    if not sure and own and len(moved) > SHARE * len(evidence.pairs[:SINGLE_SCENES]):
        figure, verdict = float(np.median(moved)), _verdict(True)
        message = f"{len(moved)} of {len(evidence.pairs[:SINGLE_SCENES])} scenes moved, each its own way"
    return Check("shift", verdict, round(figure, 3), "pixels", message, "" if verdict == "fine" else ADVICE)


def _verdict(bad: bool) -> Verdict:
    return "warning" if bad else "fine"


def _common(evidence: Evidence) -> tuple[Shift, bool]:
    """The shift of all pairs, and whether it is one: both halves of the patches tell the same then."""
    side = min(PATCH, *(min(picture.shape[1:]) for picture in evidence.pictures))
    patches = [patch for pair in evidence.pairs for patch in _patches(pair, side)]
    step = max(len(patches) // PATCHES, 1)
    patches = patches[::step]
    found = find_shift(patches)
    if found.size <= SHIFT or found.size <= 3 * found.error or len(patches) < 2:
        return found, False
    return found, _agree(find_shift(patches[::2]), find_shift(patches[1::2]))


def _agree(first: Shift, second: Shift) -> bool:
    apart = np.hypot(first.rows - second.rows, first.columns - second.columns)
    return bool(apart < AGREE * max(first.size, second.size))


def _own(pair: Pair) -> Shift | None:
    """One scene's shift, if both of its diagonals tell the same; else it cannot be known."""
    side = min(pair[0].shape[1:]) // 2
    if side < PATCH // 2:
        return None
    quarters = _patches(pair, side)[:4]
    first, second = (find_shift([quarters[i], quarters[j]]) for i, j in ((0, -1), (1, -2)))
    return first if np.isfinite(first.error + second.error) and _agree(first, second) else None


def _patches(pair: Pair, side: int) -> list[Grey]:
    """All patches ``(side, side)`` that fit side by side, as grey: the channels' noise averages out."""
    a, b = (_grey(picture) for picture in pair)
    rows, columns = (range(0, size - side + 1, side) for size in a.shape)
    return [(a[y : y + side, x : x + side], b[y : y + side, x : x + side]) for y in rows for x in columns]


def _grey(picture: Picture) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = picture.mean(axis=0)
    return grey
