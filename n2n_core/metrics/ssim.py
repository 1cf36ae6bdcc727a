"""Structural similarity (SSIM) of a picture and its reference."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import numpy as np

from n2n_core.errors import ShapeError
from n2n_core.metrics.psnr import Array, check_shapes

SIDE = 7
"""Side of the window in pixels."""

STRIP = 1 << 20
"""Values that are compared at once: in double precision, a large picture would take gigabytes."""

K1, K2 = 0.01, 0.03


def ssim(image: Array, clean: Array, data_range: float = 255.0) -> float:
    """Return the structural similarity of ``(C, H, W)`` pictures: at most 1, for equal ones.

    ``(2 m1 m2 + c1) (2 v12 + c2) / ((m1^2 + m2^2 + c1) (v1 + v2 + c2))`` with ``c = (K data_range)^2``, of
    the means m, variances v and covariance v12 in every 7x7 window inside the picture; the mean over windows
    and channels. This is scikit-image's ``structural_similarity`` with its defaults.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004).

    Raises:
        ShapeError: the shapes differ, or a side is below 7.
    """
    check_shapes("ssim", image, clean)
    if image.ndim != 3 or min(image.shape[1:]) < SIDE:
        raise ShapeError("ssim", "the image's shape", image.shape, f"(C, H, W), sides of at least {SIDE}")
    channels, height, width = image.shape
    total = sum(
        _similarities(a.astype(np.float64), b.astype(np.float64), data_range)
        for one, other in zip(image, clean, strict=True)
        for a, b in _strips(one, other, SIDE - 1)
    )
    windows = channels * (height - SIDE + 1) * (width - SIDE + 1)
    return float(total / windows)


def _strips(one: Array, other: Array, overlap: int) -> Iterator[tuple[Array, Array]]:
    """Yield both a few rows at a time; consecutive strips share ``overlap`` rows."""
    rows = max(1, STRIP // max(1, one[:1].size))
    for top in range(0, len(one) - overlap, rows):
        yield one[top : top + rows + overlap], other[top : top + rows + overlap]


def _similarities(a: Array, b: Array, data_range: float) -> float:
    """Return the sum over all windows of one channel's strip, ``(H, W)`` each."""
    mean_a, mean_b = _means(a), _means(b)
    unbiased = SIDE**2 / (SIDE**2 - 1)
    variances = unbiased * (_means(a * a) + _means(b * b) - mean_a**2 - mean_b**2)
    covariance = unbiased * (_means(a * b) - mean_a * mean_b)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((above / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))).sum())


def _means(values: Array) -> Array:
    """Return the mean of every window, ``(H - 6, W - 6)``."""
    height, width = values.shape[0] - SIDE + 1, values.shape[1] - SIDE + 1
    rows = reduce(np.add, (values[i : i + height] for i in range(SIDE)))
    return reduce(np.add, (rows[:, i : i + width] for i in range(SIDE))) / SIDE**2
