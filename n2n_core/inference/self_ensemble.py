"""Self-ensemble: denoise a picture in all eight of its flips and 90-degree rotations.

The mean of the eight results, each turned back, is closer to the clean picture, at eight times the cost.
Source: Timofte et al., "Seven ways to improve example-based single image super resolution"
(arXiv:1511.02228).

Works on numpy arrays and torch tensors, and does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Generic, cast

import numpy as np
from numpy.typing import NDArray

from n2n_core.image import Picture, Pixels
from n2n_core.inference.step import Outputs, Step
from n2n_core.inference.tiling import Images

WHITE = 8 / 255
"""Spread that is drawn white, as is all above it. Fixed, so that maps of different pictures compare."""


@dataclass(frozen=True)
class Symmetry:
    """A symmetry of the square, on ``(..., H, W)`` images.

    Args:
        axes: the axes to flip.
        turned: whether to swap height and width afterwards.
    """

    axes: tuple[int, ...]
    turned: bool

    def __call__(self, images: Images) -> Images:
        """Return ``(..., H, W)``, or ``(..., W, H)`` if ``turned``."""
        return self._turn(self._flip(images))

    def undo(self, images: Images) -> Images:
        """Apply the inverse."""
        return self._flip(self._turn(images))

    def _flip(self, images: Images) -> Images:
        flipped: Any = (
            np.flip(images, self.axes) if isinstance(images, np.ndarray) else images.flip(self.axes)
        )
        return cast(Images, flipped)

    def _turn(self, images: Images) -> Images:
        return images.swapaxes(-2, -1) if self.turned else images


SYMMETRIES = tuple(Symmetry(*choice) for choice in product(((), (-2,), (-1,), (-2, -1)), (False, True)))
"""The eight symmetries. The first is the identity."""


@dataclass(frozen=True)
class Ensemble(Generic[Images]):
    """Mean and standard deviation of the results of a self-ensemble.

    Args:
        image: mean of the results, ``(..., C, H, W)``.
        spread: standard deviation of the results, mean over channels, ``(..., 1, H, W)``. Where it is
            high, the model guesses. Where it is low, the model may still be wrong in the same way all
            eight times: it is not an error bar.
    """

    image: Images
    spread: Images


def combine(results: Iterable[Images]) -> Ensemble[Images]:
    """Combine results ``(..., C, H, W)`` that have been turned back, one at a time.

    Welford's recurrence needs memory for three pictures, however many results there are.
    """
    count, mean, squares = 0, cast(Any, 0.0), cast(Any, 0.0)
    for result in results:
        count += 1
        difference = result - mean
        mean = mean + difference / count
        squares = squares + difference * (result - mean)
    return Ensemble(mean, ((squares / count) ** 0.5).mean(-3)[..., None, :, :])


def self_ensemble(denoise: Callable[[Images], Images], images: Images) -> Ensemble[Images]:
    """Run ``denoise`` on the eight symmetries of ``(N, C, H, W)`` images, and combine the results.

    >>> self_ensemble(lambda x: x, np.ones((1, 3, 4, 6), np.float32)).image.shape
    (1, 3, 4, 6)
    """
    return combine(symmetry.undo(denoise(symmetry(images))) for symmetry in SYMMETRIES)


class SelfEnsemble(Step):
    """Run the network on all eight symmetries of the picture, and take the mean of the results."""

    slow_after = True

    def before(self, images: list[Pixels]) -> list[Pixels]:
        """Flip and rotate."""
        (image,) = images
        return [symmetry(image) for symmetry in SYMMETRIES]

    def after(self, outputs: Outputs) -> Outputs:
        """Turn the results back and combine them."""
        pairs = zip(SYMMETRIES, outputs.images, strict=True)
        ensemble = combine(symmetry.undo(image) for symmetry, image in pairs)
        return replace(outputs, images=[ensemble.image], spread=ensemble.spread)


def spread_picture(spread: NDArray[np.float32]) -> Picture:
    """Draw a spread ``(1, H, W)`` as a grey picture, linear from black for 0 to white for ``WHITE``."""
    return Picture((spread / WHITE).clip(0, 1).astype(np.float32))
