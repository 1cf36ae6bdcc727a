"""How close one picture is to its reference, without torch; ``metrics`` has the means over sets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from n2n_core.errors import ShapeError

Array = NDArray[Any]

SIDE = 7
STRIP = 1 << 20
"""Values that are looked at at a time: in double precision, a whole large picture would take gigabytes."""

K1, K2 = 0.01, 0.03


def psnr(image: Array, clean: Array, data_range: float = 255.0) -> float:
    """Peak signal-to-noise ratio, ``10 log10(data_range^2 / MSE)``, in dB; infinity if they are equal.

    >>> psnr(np.zeros((1, 2, 2)), np.full((1, 2, 2), 25.5))
    20.0
    """
    _check("psnr", image, clean)
    errors = (
        float(np.square(a.astype(np.float64) - b).sum())
        for one, other in zip(image, clean, strict=True)
        for a, b in _strips(one, other, 0)
    )
    error = sum(errors) / image.size
    return float(10 * np.log10(data_range**2 / error)) if error else float("inf")


def ssim(image: Array, clean: Array, data_range: float = 255.0) -> float:
    """Structural similarity of ``(C, H, W)`` pictures: at most 1, which is equality.

    Of means, variances and the covariance in every 7x7 window that lies inside the picture,
    ``(2 m1 m2 + c1) (2 v12 + c2) / ((m1^2 + m2^2 + c1) (v1 + v2 + c2))`` with ``c = (K data_range)^2``;
    the mean over windows and channels. This is scikit-image's ``structural_similarity`` with its defaults.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004).

    Raises:
        ShapeError: the shapes differ, or a side is below 7.
    """
    _check("ssim", image, clean)
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
    """The two, some rows at a time; a strip's last rows are ``overlap`` of the next one's first."""
    rows = max(1, STRIP // max(1, one[:1].size))
    for top in range(0, len(one) - overlap, rows):
        yield one[top : top + rows + overlap], other[top : top + rows + overlap]


def _similarities(a: Array, b: Array, data_range: float) -> float:
    """Their sum over the windows of a strip of one channel, ``(H, W)`` each."""
    mean_a, mean_b = _means(a), _means(b)
    unbiased = SIDE**2 / (SIDE**2 - 1)
    variances = unbiased * (_means(a * a) + _means(b * b) - mean_a**2 - mean_b**2)
    covariance = unbiased * (_means(a * b) - mean_a * mean_b)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((above / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))).sum())


def _means(values: Array) -> Array:
    """Over every window: ``(H - 6, W - 6)``."""
    height, width = values.shape[0] - SIDE + 1, values.shape[1] - SIDE + 1
    rows = reduce(np.add, (values[i : i + height] for i in range(SIDE)))
    return reduce(np.add, (rows[:, i : i + width] for i in range(SIDE))) / SIDE**2


def _check(name: str, image: Array, clean: Array) -> None:
    if image.shape != clean.shape or not image.size:
        raise ShapeError(name, "the image's shape", image.shape, f"{clean.shape}, that of its reference")
