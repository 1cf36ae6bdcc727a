"""Contrast stretch for noise that is finer than the levels of 8 bits, for blind denoisers.

A blind denoiser of photos was trained on noise of about one grey level and more. The noise in a 16-bit
picture of a night sky may be a tenth of that; on such noise the network blurs stars and shifts levels. So
the contrast around the local background is stretched until the noise is as strong as in training, the
result is denoised, and the stretch is undone. Pixels far above or below the background are stars and
edges, where such noise is invisible: they are left unchanged.

The background is the median of square cells, interpolated bilinearly between their centres, as in
SExtractor (Bertin and Arnouts 1996, Astronomy and Astrophysics Supplement 117, 393).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from n2n_core.image import Pixels
from n2n_core.inference.step import Outputs, Step
from n2n_core.noise.estimation import noise_level

FAINT = 1 / 255
"""Noise below this level is stretched."""

LEAST = 1e-5
"""Below this level there is only the rounding to 16 bits, and nothing is stretched."""

KNOWN = 8 / 255
"""Noise level after the stretch."""

CELL = 64
"""Approximate side of the background's cells in pixels."""

MARGIN = 0.1
"""Fraction of the stretched range, at either end, over which denoised values fade into unchanged ones."""


@dataclass(frozen=True)
class Stretch:
    """A contrast stretch of one noisy picture.

    Args:
        noisy: the picture, ``(C, H, W)`` in [0, 1].
        cells: median of each cell, ``(C, rows, columns)``.
        gain: factor by which the contrast grows.
    """

    noisy: Pixels
    cells: Pixels
    gain: float

    @classmethod
    def of(cls, noisy: Pixels) -> Stretch | None:
        """Measure a picture of more than 8 bits, ``(C, H, W)`` in [0, 1]; None if it needs no stretch.

        >>> rng = np.random.default_rng(0)
        >>> sky = 0.01 + 0.0005 * rng.standard_normal((3, 128, 128), np.float32)
        >>> round(Stretch.of(sky).gain)
        63
        >>> Stretch.of(np.zeros((3, 128, 128), np.float32))
        """
        level = noise_level(noisy)
        return cls(noisy, _medians(noisy), KNOWN / level) if LEAST < level < FAINT else None

    def __call__(self) -> Pixels:
        """Return the stretched picture, ``(C, H, W)`` in [0, 1], whose background is 0.5."""
        stretched: Pixels = self._stretched(self._background()).clip(0, 1)
        return stretched

    def undo(self, denoised: Pixels) -> Pixels:
        """Return the noisy picture with the ``denoised`` stretched values put back."""
        background = self._background()
        result = (denoised - np.float32(0.5)) / np.float32(self.gain) + background
        return self.noisy + self._share(background) * (result - self.noisy)

    def undo_spread(self, spread: Pixels) -> Pixels:
        """Scale a standard deviation of denoised stretched values, ``(1, H, W)``, back to the picture."""
        share: Pixels = self._share(self._background()).mean(0, keepdims=True)
        return spread / np.float32(self.gain) * share

    def _stretched(self, background: Pixels) -> Pixels:
        return (self.noisy - background) * np.float32(self.gain) + np.float32(0.5)

    def _share(self, background: Pixels) -> Pixels:
        """Weight of the denoised values in the result: 1 near the background, 0 where values were clipped."""
        inside = np.float32(0.5) - np.abs(self._stretched(background) - np.float32(0.5))
        ramp: Pixels = (inside / np.float32(MARGIN)).clip(0, 1)
        return ramp * ramp * (3 - 2 * ramp)

    def _background(self) -> Pixels:
        _, height, width = self.noisy.shape
        down, across = _interpolation(height), _interpolation(width)
        return np.asarray(down @ self.cells @ across.T, np.float32)


class ContrastStretch(Step):
    """Stretch the contrast if the noise is finer than 8 bits."""

    slow_before = slow_after = True

    def before(self, images: list[Pixels]) -> list[Pixels]:
        """Measure the noise, and stretch the picture if needed."""
        (noisy,) = images
        self.stretch = Stretch.of(noisy)
        return [self.stretch()] if self.stretch else images

    def after(self, outputs: Outputs) -> Outputs:
        """Undo the stretch, in the image and its spread."""
        if self.stretch is None:
            return outputs
        (denoised,) = outputs.images
        spread = None if outputs.spread is None else self.stretch.undo_spread(outputs.spread)
        return Outputs([self.stretch.undo(denoised)], spread, self.stretch.gain)


def _edges(length: int) -> NDArray[np.intp]:
    """Return where the cells along one axis begin, and where the last one ends."""
    return np.linspace(0, length, max(1, round(length / CELL)) + 1).astype(np.intp)


def _medians(image: Pixels) -> Pixels:
    _, height, width = image.shape
    rows = [
        [np.median(image[:, top:bottom, left:right], (1, 2)) for left, right in pairwise(_edges(width))]
        for top, bottom in pairwise(_edges(height))
    ]
    return np.moveaxis(np.asarray(rows, np.float32), -1, 0)


def _interpolation(length: int) -> Pixels:
    """Return each cell's weight for each pixel of an axis, ``(length, cells)``; linear up to both ends."""
    edges, pixels = _edges(length), np.arange(length)
    centres = (edges[:-1] + edges[1:] - 1) / 2
    if len(centres) == 1:
        return np.ones((length, 1), np.float32)
    left = (np.searchsorted(centres, pixels) - 1).clip(0, len(centres) - 2)
    share = (pixels - centres[left]) / np.diff(centres)[left]
    result = np.zeros((length, len(centres)), np.float32)
    result[pixels, left], result[pixels, left + 1] = 1 - share, share
    return result
