"""The noise level of any picture: how large its noise is, from the picture alone.

Small patches are taken to the frequency domain. Those with the least energy at low frequencies hold
the least texture, and what they have at high frequencies is noise. In white noise, the frequencies are
independent of each other, so choosing by the low ones leaves the high ones as they are: no bias that
would have to be undone.

Source: the idea is Ponomarenko et al., "An automatic approach to lossy compression of AVIRIS images"
(IGARSS 2007), which takes the calmest blocks of a cosine transform; the classes of brightness are ours.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from n2n_core.errors import ShapeError

Array = NDArray[np.float32]

SIDE = 8
PATCHES = 40_000
"""At most so many are looked at, evenly spread: time and memory have a bound, however large the picture."""

CLASSES = 4
"""Of brightness, from dark to light: noise may depend on it, and each has its say."""

CALM = 200
"""Patches that are measured in each class, the calmest; of small pictures an eighth of the class."""


def noise_level(image: Array) -> float:
    """The standard deviation of the noise, in the image's units; times 255 it is in grey levels.

    In each of four classes of brightness, the calmest patches are those with the least energy in the
    frequencies ``0 < u + v <= 4`` of an orthonormal 8x8 cosine transform. A patch's variance is the mean
    energy of ``u + v >= 9``; a class's is the median of its patches', divided by the median of a
    chi-squared variable over its mean; the level is the root of the mean over classes and channels.

    Noise that depends on brightness gives its mean level. Patches with a value of exactly 0 or 1, where
    noise may have been clipped, are left out while there are others. What is not white, such as noise
    that was blurred, enlarged or compressed, is underestimated; texture finer than noise, all over the
    picture, is taken for it. Pictures with a side of 1 pixel give 0, those below 32 pixels a rough value.

    Args:
        image: ``(C, H, W)``, values in [0, 1].

    Raises:
        ShapeError: not three axes, or an empty image.

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
    """Low and high frequencies of a cosine transform, as columns: ``(side^2, some)`` each."""
    index = np.arange(side)
    waves = np.cos(np.pi * index[:, None] * (2 * index + 1) / (2 * side)) * np.sqrt(2 / side)
    waves[0] /= np.sqrt(2)
    planes = np.einsum("uy,vx->uvyx", waves, waves).reshape(side, side, -1).astype(np.float32)
    order = index[:, None] + index
    low, high = (order > 0) & (order <= side // 2), order >= min(side + 1, 2 * side - 2)
    return planes[low].T, planes[high].T


def _patches(image: Array, side: int) -> Array:
    """``(C, P, side^2)``: at most ``PATCHES``, at the same places in every channel."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), (1, 2))
    height, width = windows.shape[1:3]
    rows = min(height, max(1, round((PATCHES * height / width) ** 0.5)))
    columns = min(width, PATCHES // rows)
    down, across = np.ix_(_evenly(height, rows), _evenly(width, columns))
    return windows[:, down, across].reshape(len(image), -1, side**2)


def _evenly(length: int, count: int) -> NDArray[np.intp]:
    """``count`` different indices, from 0 to ``length - 1``."""
    return np.linspace(0, length - 1, count).astype(np.intp)


def _unclipped(patches: Array) -> Array:
    """Those with the fewest clipped values, as many as are measured at least."""
    clipped = ((patches == 0) | (patches == 1)).sum((0, 2))
    enough = min(CLASSES * 2 * CALM, len(clipped)) - 1
    return patches[:, clipped <= np.partition(clipped, enough)[enough]]


def _calmest(texture: Array, chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of the patches ``chosen``, those that are measured."""
    count = min(CALM, -(-len(chosen) // 8))
    return chosen[np.argpartition(texture[chosen], count - 1)[:count]]


def _variance(coefficients: Array) -> float:
    """Of each channel's noise, the mean over channels; ``coefficients`` are ``(C, P, frequencies)``."""
    freedom = coefficients.shape[2]
    median = np.median(np.square(coefficients).mean(2), axis=1)
    return float(median.mean() / (1 - 2 / (9 * freedom)) ** 3)  # Wilson and Hilferty's approximation
