"""Self-ensemble: a picture is denoised in all eight of its flips and 90-degree rotations.

The mean of the eight results, each turned back, is nearer to the clean picture, at eight times the
price. Source: Timofte et al., "Seven ways to improve example-based single image super resolution"
(arXiv:1511.02228).

All of it works on numpy's arrays and torch's tensors alike; torch is not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, Generic, cast

import numpy as np
from numpy.typing import NDArray

from n2n_core.image import Picture
from n2n_core.inference.tiling import Images

WHITE = 8 / 255
"""The spread that is white in its picture, and all above it: fixed, so that pictures can be compared."""


@dataclass(frozen=True)
class Symmetry:
    """One of the square's, on ``(..., H, W)`` images: flipped along ``axes``, then perhaps transposed."""

    axes: tuple[int, ...]
    turned: bool

    def __call__(self, images: Images) -> Images:
        """``(..., H, W)``, or ``(..., W, H)`` if turned."""
        return self._turn(self._flip(images))

    def undo(self, images: Images) -> Images:
        """The inverse."""
        return self._flip(self._turn(images))

    def _flip(self, images: Images) -> Images:
        flipped: Any = (
            np.flip(images, self.axes) if isinstance(images, np.ndarray) else images.flip(self.axes)
        )
        return cast(Images, flipped)

    def _turn(self, images: Images) -> Images:
        return images.swapaxes(-2, -1) if self.turned else images


SYMMETRIES = tuple(Symmetry(*choice) for choice in product(((), (-2,), (-1,), (-2, -1)), (False, True)))
"""All eight; the first one leaves images as they are."""


@dataclass(frozen=True)
class Ensemble(Generic[Images]):
    """What the results of a self-ensemble have in common, and how they differ.

    Args:
        image: their mean, ``(..., C, H, W)``.
        spread: their standard deviation, mean over channels, ``(..., 1, H, W)``: how far the model
            disagrees with itself. Where it is high, the model guesses; where it is low, the model may
            still be wrong, the same way eight times. It is not an error bar.
    """

    image: Images
    spread: Images


def combine(results: Iterable[Images]) -> Ensemble[Images]:
    """The ensemble of results ``(..., C, H, W)`` that have been turned back, taken one at a time.

    By Welford's recurrence: memory for three pictures, however many the results.
    """
    count, mean, squares = 0, cast(Any, 0.0), cast(Any, 0.0)
    for result in results:
        count += 1
        difference = result - mean
        mean = mean + difference / count
        squares = squares + difference * (result - mean)
    return Ensemble(mean, ((squares / count) ** 0.5).mean(-3)[..., None, :, :])


def self_ensemble(denoise: Callable[[Images], Images], images: Images) -> Ensemble[Images]:
    """The ensemble of ``denoise`` over the eight symmetries of ``(N, C, H, W)`` images.

    >>> self_ensemble(lambda x: x, np.ones((1, 3, 4, 6), np.float32)).image.shape
    (1, 3, 4, 6)
    """
    return combine(symmetry.undo(denoise(symmetry(images))) for symmetry in SYMMETRIES)


def spread_picture(spread: NDArray[np.float32]) -> Picture:
    """A spread ``(1, H, W)`` as a grey picture: black is 0, white is ``WHITE``, linear in between."""
    return Picture((spread / WHITE).clip(0, 1).astype(np.float32))
