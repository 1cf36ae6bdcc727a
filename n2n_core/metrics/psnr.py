"""Peak signal-to-noise ratio of numpy arrays and torch tensors. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from n2n_core.errors import ShapeError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[Any]

CHUNK = 1 << 20
"""Values that are compared at once: in double precision, a large picture would take gigabytes."""


@dataclass(frozen=True)
class MeanPsnr:
    """PSNR of a set of images in dB, averaged in two ways."""

    per_image: float
    """Mean of the images' PSNRs. This is the course's figure, and that of most papers."""
    pooled: float
    """PSNR of the mean squared error over all pixels of the set."""


def decibels(mse: float, data_range: float = 255.0) -> float:
    """Return the PSNR of a mean squared error, ``10 log10(data_range^2 / mse)``; infinity if it is 0.

    >>> decibels(25.5**2)
    20.0
    """
    return 10 * log10(data_range**2 / mse) if mse else inf


def psnr(image: Array | Tensor, clean: Array | Tensor, data_range: float = 255.0) -> float:
    """Return the PSNR of an image of any shape, in dB; infinity if it equals ``clean``.

    Raises:
        ShapeError: the shapes differ, or are empty.

    >>> psnr(np.zeros((1, 2, 2)), np.full((1, 2, 2), 25.5))
    20.0
    """
    check_shapes("psnr", image, clean)
    (error,) = squared_errors(image[None], clean[None])
    return decibels(error, data_range)


def mean_psnr(images: Array | Tensor, clean: Array | Tensor, data_range: float = 255.0) -> MeanPsnr:
    """Return the PSNR of ``(N, C, H, W)`` images; ``per_image`` is infinite if one equals its clean version.

    Raises:
        ShapeError: the shapes differ, or are empty.

    >>> mean_psnr(np.zeros((2, 1, 2, 2)), np.full((2, 1, 2, 2), 25.5))
    MeanPsnr(per_image=20.0, pooled=20.0)
    """
    errors = squared_errors(images, clean)
    ratios = [decibels(error, data_range) for error in errors]
    return MeanPsnr(sum(ratios) / len(ratios), decibels(sum(errors) / len(errors), data_range))


def squared_errors(images: Array | Tensor, clean: Array | Tensor) -> list[float]:
    """Return the mean squared error of each of N images, in units of the images squared.

    Raises:
        ShapeError: the shapes differ, or are empty.
    """
    check_shapes("psnr", images, clean)
    a, b = (_array(each).reshape(len(images), -1) for each in (images, clean))
    sums, step = np.zeros(len(a)), max(1, CHUNK // len(a))
    for start in range(0, a.shape[1], step):
        part = slice(start, start + step)
        sums += np.square(a[:, part].astype(np.float64) - b[:, part]).sum(1)
    errors: list[float] = (sums / a.shape[1]).tolist()
    return errors


def _array(values: Array | Tensor) -> Array:
    return values if isinstance(values, np.ndarray) else values.detach().cpu().numpy()


def check_shapes(name: str, image: Array | Tensor, clean: Array | Tensor) -> None:
    """Raise ``ShapeError`` unless both have the same shape, with at least one value."""
    if image.shape != clean.shape or 0 in image.shape:
        expected = f"{tuple(clean.shape)}, that of its reference"
        raise ShapeError(name, "the image's shape", tuple(image.shape), expected)
