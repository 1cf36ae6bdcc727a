"""Estimate the noise level of a picture from the picture alone.

Small patches are transformed to the frequency domain. Those with the least energy at low frequencies have
the least texture, and their energy at high frequencies is noise. The frequencies of white noise are
independent, so selecting patches by the low ones does not bias the high ones.

Source: Ponomarenko et al., "An automatic approach to lossy compression of AVIRIS images" (IGARSS 2007), which
uses the smoothest blocks of a cosine transform; the brightness classes are our addition.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from n2n_core.errors import ShapeError

Array = NDArray[np.float32]

SIDE = 8
PATCHES = 40_000
"""Most patches that are used, evenly spread. This bounds time and memory for pictures of any size."""

CLASSES = 4
"""Brightness classes, from dark to light. Noise may depend on brightness, and all count equally."""

CALM = 200
"""Smooth patches that are measured per class; an eighth of the class for small pictures."""


def noise_level(image: Array) -> float:
    """Return the standard deviation of the noise in the image's units; times 255, it is in grey levels.

    In each of four brightness classes, the smoothest patches are those with the least energy in the
    frequencies ``0 < u + v <= 4`` of an orthonormal 8x8 cosine transform. The variance of a patch is the
    mean energy of ``u + v >= 9``. The variance of a class is the median over its patches, divided by the
    ratio of median to mean of a chi-squared variable. The result is the root of the mean over classes and
    channels.

    If the noise depends on brightness, the result is its mean level. Patches with values of exactly 0 or 1,
    where noise may have been clipped, are left out as long as there are others. Noise that is not white, such
    as blurred, enlarged or compressed noise, is underestimated. Fine texture all over the picture is mistaken
    for noise. Pictures with a side of 1 pixel give 0, those below 32 pixels a rough value.

    Args:
        image: ``(C, H, W)``, values in [0, 1].

    Raises:
        ShapeError: the image does not have three axes, or is empty.

    >>> rng = np.random.default_rng(0)
    >>> noisy = 0.5 + 0.1 * rng.standard_normal((3, 128, 128), np.float32)
    >>> round(noise_level(noisy), 2)
    0.1
    """
    if image.ndim != 3 or not image.size:
        raise ShapeError("noise_level", "the image's shape", image.shape, "(C, H, W)")
    side = min(SIDE, *image.shape[1:])
    if side == 1:
        return 0.0
    low, high = _frequencies(side)
    patches = _unclipped(_patches(image, side))
    texture = np.square(patches @ low).sum((0, 2))
    classes = np.array_split(patches.mean((0, 2)).argsort(), CLASSES)
    variances = [_variance(patches[:, _calmest(texture, chosen)] @ high) for chosen in classes if chosen.size]
    return float(np.sqrt(np.mean(variances)))


@cache
def _frequencies(side: int) -> tuple[Array, Array]:
    """Return the low and the high frequencies of a cosine transform as columns, ``(side^2, ...)`` each."""
    index = np.arange(side)
    waves = np.cos(np.pi * index[:, None] * (2 * index + 1) / (2 * side)) * np.sqrt(2 / side)
    waves[0] /= np.sqrt(2)
    planes = np.einsum("uy,vx->uvyx", waves, waves).reshape(side, side, -1).astype(np.float32)
    order = index[:, None] + index
    low, high = (order > 0) & (order <= side // 2), order >= min(side + 1, 2 * side - 2)
    return planes[low].T, planes[high].T


def _patches(image: Array, side: int) -> Array:
    """Return at most ``PATCHES`` patches, ``(C, P, side^2)``, at the same places in all channels."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), (1, 2))
    height, width = windows.shape[1:3]
    rows = min(height, max(1, round((PATCHES * height / width) ** 0.5)))
    columns = min(width, PATCHES // rows)
    down, across = np.ix_(_evenly(height, rows), _evenly(width, columns))
    return windows[:, down, across].reshape(len(image), -1, side**2)


def _evenly(length: int, count: int) -> NDArray[np.intp]:
    """Return ``count`` different indices from 0 to ``length - 1``, evenly spaced."""
    return np.linspace(0, length - 1, count).astype(np.intp)


def _unclipped(patches: Array) -> Array:
    """Return the patches with the fewest clipped values, at least as many as are measured."""
    clipped = ((patches == 0) | (patches == 1)).sum((0, 2))
    enough = min(CLASSES * 2 * CALM, len(clipped)) - 1
    return patches[:, clipped <= np.partition(clipped, enough)[enough]]


def _calmest(texture: Array, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the smoothest of the ``chosen`` patches, which are measured."""
    count = min(CALM, -(-len(chosen) // 8))
    return chosen[np.argpartition(texture[chosen], count - 1)[:count]]


def _variance(coefficients: Array) -> float:
    """Return the noise variance, averaged over channels, of ``(C, P, frequencies)`` coefficients."""
    freedom = coefficients.shape[2]
    median = np.median(np.square(coefficients).mean(2), axis=1)
    return float(median.mean() / (1 - 2 / (9 * freedom)) ** 3)  # Wilson and Hilferty's approximation
