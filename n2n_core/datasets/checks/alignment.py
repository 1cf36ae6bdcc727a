"""The alignment check: a shift that all scenes share, or movement in single scenes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from n2n_core.datasets.checks.crops import SampledCrops
from n2n_core.datasets.checks.measures import Pair, Picture
from n2n_core.datasets.checks.registration import Shift, find_shift
from n2n_core.datasets.checks.report import Check, Verdict

SHIFT = 0.1
"""Shift in pixels above which the check warns, if it is also above 3 standard errors."""
MOVED = 0.3
"""Shift in pixels above which a single scene counts as moved."""
AGREE = 0.35
"""Largest distance, relative to the shift, at which two estimates of it agree."""
SHARE = 0.25
"""Fraction of moved scenes above which the check warns."""
PATCH = 64
PATCHES = 96
SINGLE_SCENES = 16

Grey = tuple[NDArray[np.float32], NDArray[np.float32]]

ADVICE = (
    "use a tripod and a remote release, or align the shots before the import (by whole pixels if possible, "
    "because interpolation blurs the noise); a network trained on shifted pairs blurs its results"
)


def check_shift(crops: SampledCrops) -> Check:
    """Check the shift that all pairs share and, if there is none, those of single scenes."""
    found, sure = _common(crops)
    own = [shift for shift in map(_own, crops.pairs[:SINGLE_SCENES]) if shift is not None]
    moved = [shift.size for shift in own if shift.size > MOVED]
    figure, verdict = found.size, _verdict(sure)
    message = (
        "no shift can be measured"
        if not np.isfinite(found.error)
        else f"the second shot lies {found.columns:+.2f} pixels to the right and {found.rows:+.2f} down "
        f"(standard error {found.error:.2f})"
    )
    if not sure and own and len(moved) > SHARE * len(crops.pairs[:SINGLE_SCENES]):
        figure, verdict = float(np.median(moved)), _verdict(True)
        message = (
            f"{len(moved)} of {len(crops.pairs[:SINGLE_SCENES])} scenes moved, each in a different direction"
        )
    return Check("shift", verdict, round(figure, 3), "pixels", message, "" if verdict == "fine" else ADVICE)


def _verdict(bad: bool) -> Verdict:
    return "warning" if bad else "fine"


def _common(crops: SampledCrops) -> tuple[Shift, bool]:
    """Return the shift of all pairs, and whether it is real: both halves of the patches then agree."""
    side = min(PATCH, *(min(picture.shape[1:]) for picture in crops.pictures))
    patches = [patch for pair in crops.pairs for patch in _patches(pair, side)]
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
    """Return the shift of one scene, or None unless the quarters on both diagonals agree on it."""
    side = min(pair[0].shape[1:]) // 2
    if side < PATCH // 2:
        return None
    quarters = _patches(pair, side)[:4]
    first, second = (find_shift([quarters[i], quarters[j]]) for i, j in ((0, -1), (1, -2)))
    return first if np.isfinite(first.error + second.error) and _agree(first, second) else None


def _patches(pair: Pair, side: int) -> list[Grey]:
    """Divide a pair into patches ``(side, side)``, as grey so that the channels' noise averages out."""
    a, b = (_grey(picture) for picture in pair)
    rows, columns = (range(0, size - side + 1, side) for size in a.shape)
    return [(a[y : y + side, x : x + side], b[y : y + side, x : x + side]) for y in rows for x in columns]


def _grey(picture: Picture) -> NDArray[np.float32]:
    grey: NDArray[np.float32] = picture.mean(axis=0)
    return grey
