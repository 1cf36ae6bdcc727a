"""Noise finer than the grey levels of 8 bits, for blind denoisers.

A blind denoiser of photos was trained on noise of about one grey level and more. In a deep picture of
a night sky there may be a tenth of that, and the network blurs stars and shifts levels instead. So
what lies near the local background is stretched until its noise is as strong as the network knows
it, denoised, and put back. What is far above or below is stars and edges, where such noise is not
seen: it stays as it is.

The background is the median of cells, bilinear between their centres, as in SExtractor (Bertin
and Arnouts 1996, Astronomy and Astrophysics Supplement 117, 393).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from n2n_core.image import Pixels
from n2n_core.noise.estimation import noise_level

FAINT = 1 / 255
"""Noise below this level is stretched."""

LEAST = 1e-5
"""Noise below this level is the rounding of 16 bits, and no noise."""

KNOWN = 8 / 255
"""The level that it is stretched to."""

CELL = 64
"""The side of the background's cells in pixels, about."""

MARGIN = 0.1
"""Of the stretched range, where results pass over into what stays as it is, at either end."""


@dataclass(frozen=True)
class Stretch:
    """How a noisy picture is stretched for a network.

    Args:
        noisy: ``(C, H, W)`` in [0, 1].
        cells: medians ``(C, rows, columns)`` of the cells.
        gain: of the contrast.
    """

    noisy: Pixels
    cells: Pixels
    gain: float

    @classmethod
    def of(cls, noisy: Pixels) -> Stretch | None:
        """The stretch for ``(C, H, W)`` in [0, 1], of more than 8 bits; None unless its noise is faint.

        >>> rng = np.random.default_rng(0)
        >>> sky = 0.01 + 0.0005 * rng.standard_normal((3, 128, 128), np.float32)
        >>> round(Stretch.of(sky).gain)
        63
        >>> Stretch.of(np.zeros((3, 128, 128), np.float32))
        """
        level = noise_level(noisy)
        return cls(noisy, _medians(noisy), KNOWN / level) if LEAST < level < FAINT else None

    def __call__(self) -> Pixels:
        """What the network is to denoise, ``(C, H, W)`` in [0, 1]: the background is 0.5."""
        stretched: Pixels = self._stretched(self._background()).clip(0, 1)
        return stretched

    def undo(self, denoised: Pixels) -> Pixels:
        """The noisy picture, with what was ``denoised`` of its stretched values put back."""
        background = self._background()
        result = (denoised - np.float32(0.5)) / np.float32(self.gain) + background
        return self.noisy + self._share(background) * (result - self.noisy)

    def undo_spread(self, spread: Pixels) -> Pixels:
        """A standard deviation ``(1, H, W)`` of denoised stretched values, on the picture's own scale."""
        share: Pixels = self._share(self._background()).mean(0, keepdims=True)
        return spread / np.float32(self.gain) * share

    def _stretched(self, background: Pixels) -> Pixels:
        return (self.noisy - background) * np.float32(self.gain) + np.float32(0.5)

    def _share(self, background: Pixels) -> Pixels:
        """Of what was denoised in the result: 1 near the background, 0 where the network saw nothing."""
        inside = np.float32(0.5) - np.abs(self._stretched(background) - np.float32(0.5))
        ramp: Pixels = (inside / np.float32(MARGIN)).clip(0, 1)
        return ramp * ramp * (3 - 2 * ramp)

    def _background(self) -> Pixels:
        _, height, width = self.noisy.shape
        down, across = _interpolation(height), _interpolation(width)
        return np.asarray(down @ self.cells @ across.T, np.float32)


def _edges(length: int) -> NDArray[np.intp]:
    """Where the cells along one axis begin, and the last one ends."""
    return np.linspace(0, length, max(1, round(length / CELL)) + 1).astype(np.intp)


def _medians(image: Pixels) -> Pixels:
    _, height, width = image.shape
    rows = [
        [np.median(image[:, top:bottom, left:right], (1, 2)) for left, right in pairwise(_edges(width))]
        for top, bottom in pairwise(_edges(height))
    ]
    return np.moveaxis(np.asarray(rows, np.float32), -1, 0)


def _interpolation(length: int) -> Pixels:
    """``(length, cells)``: what each cell gives to each pixel along an axis, linear to the very ends."""
    edges, pixels = _edges(length), np.arange(length)
    centres = (edges[:-1] + edges[1:] - 1) / 2
    if len(centres) == 1:
        return np.ones((length, 1), np.float32)
    left = (np.searchsorted(centres, pixels) - 1).clip(0, len(centres) - 2)
    share = (pixels - centres[left]) / np.diff(centres)[left]
    result = np.zeros((length, len(centres)), np.float32)
    result[pixels, left], result[pixels, left + 1] = 1 - share, share
    return result
