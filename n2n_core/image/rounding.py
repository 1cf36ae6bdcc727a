"""Floats in [0, 1] to the integers of a file: rounded half to even, and clipped. Does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def rounded(values: NDArray[np.float32], largest: int) -> NDArray[np.float32]:
    """Return whole numbers in [0, ``largest``], as floats."""
    scaled = values * np.float32(largest)
    np.rint(scaled, out=scaled)
    return scaled.clip(0, largest, out=scaled)


def to_bytes(image: Tensor) -> Tensor:
    """Return a tensor as uint8: what ``rounded(image, 255)`` is for arrays.

    >>> import torch
    >>> to_bytes(torch.tensor([-0.1, 0.5, 1.2])).tolist()
    [0, 128, 255]
    """
    return (image.float() * 255).round().clamp(0, 255).byte()
