"""A decoded image, and the supported formats."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from n2n_core.errors import ImageError
from n2n_core.image.rounding import rounded

MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
}
"""Supported formats and their media types."""

SUFFIXES = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
}

Samples = NDArray[Any]
"""Samples as stored in a file: uint8, uint16 or float32."""

Pixels = NDArray[np.float32]
"""``(..., H, W)``, values nominally in [0, 1]."""

Compression = Literal["fast", "small"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
"""PNG compression levels: ``fast`` takes 5 to 50 % of the time of ``small``, for about 10 % more bytes."""

Bits = Literal[8, 16, 32]
"""Bits per channel; 32 are floats."""

MAX_PIXELS = 64_000_000
MAX_PAGES = 10_000

PIXEL_LIMIT = 178_956_970
"""Pillow refuses images with more pixels, so larger limits have no effect."""

WHITE: dict[Bits, int] = {8: 255, 16: 65535, 32: 1}
"""The file's value for 1.0, by bits per channel."""

_DTYPES: dict[Bits, type[Any]] = {8: np.uint8, 16: np.uint16, 32: np.float32}
_BITS: dict[int, Bits] = {1: 8, 2: 16, 4: 32}
_FLOAT_MOST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Args:
        colour: ``(C, H, W)`` float32 in [0, 1]; C is 3 (RGB) or 1 (grey).
        alpha: ``(1, H, W)`` uint8, uint16 or float32, as in the file; None if opaque.
        format: a key of ``MEDIA_TYPES``.
        bits: bits per channel: 8, 16, or 32 for floats.
        metadata: what to save with the pixels, see ``image.metadata``.
        value_range: for floats, the file's values for 0 and 1 in ``colour``.
    """

    colour: Pixels
    alpha: Samples | None = None
    format: str = "png"
    bits: Bits = 8
    metadata: dict[str, Any] = field(default_factory=dict)
    value_range: tuple[float, float] = (0.0, 1.0)

    def with_colour(self, colour: Pixels) -> Picture:
        """Return a copy with other colours."""
        return replace(self, colour=colour)


@dataclass(frozen=True)
class Decoded:
    """The content of a file: turned upright, otherwise unchanged.

    Args:
        colour: ``(C, H, W)`` uint8, uint16 or float32; C is 3 or 1.
        alpha: ``(1, H, W)`` of the same type, or None.
        format: a key of ``MEDIA_TYPES``.
        metadata: see ``Picture``.
    """

    colour: Samples
    alpha: Samples | None
    format: str
    metadata: dict[str, Any]

    def picture(self) -> Picture:
        """Convert to floats in [0, 1].

        Raises:
            ImageError: the file has floats that are not finite, or too far apart.
        """
        bits = _BITS[self.colour.itemsize]
        colour = self.colour.astype(np.float32, order="C")
        limits = _range(colour) if bits == 32 else (0.0, 1.0)
        if bits != 32:
            colour /= np.float32(WHITE[bits])
        elif limits != (0.0, 1.0):
            colour -= np.float32(limits[0])
            colour /= np.float32(limits[1] - limits[0])
        alpha = None if self.alpha is None else np.ascontiguousarray(self.alpha)
        return Picture(colour, alpha, self.format, bits, self.metadata, limits)


def _range(values: Pixels) -> tuple[float, float]:
    """Return the values that become 0 and 1: these, or the extremes if any value is outside [0, 1]."""
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ImageError("the image contains values that are not finite, expected numbers")
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if high - low > _FLOAT_MOST:
        raise ImageError(f"the image's values go from {low:g} to {high:g}, expected a smaller range")
    return low, high if high > low else low + max(1.0, abs(low))


def samples(picture: Picture, bits: Bits) -> Samples:
    """Return samples of ``bits`` per channel for a file, ``(H, W, C)`` with alpha last."""
    channels: Samples = (
        _restored(picture) if bits == 32 else rounded(picture.colour, WHITE[bits]).astype(_DTYPES[bits])
    )
    if picture.alpha is not None:
        channels = np.concatenate([channels, _converted(picture.alpha, bits)])
    return np.ascontiguousarray(channels.transpose(1, 2, 0))


def _restored(picture: Picture) -> Pixels:
    low, high = picture.value_range
    if (low, high) == (0.0, 1.0):
        return picture.colour
    return picture.colour * np.float32(high - low) + np.float32(low)


def _converted(alpha: Samples, bits: Bits) -> Samples:
    """Convert alpha to another depth."""
    own = _BITS[alpha.itemsize]
    if own == bits:
        return alpha
    scaled = alpha.astype(np.float64) * (WHITE[bits] / WHITE[own])
    whole = scaled if bits == 32 else np.rint(scaled).clip(0, WHITE[bits])
    converted: Samples = whole.astype(_DTYPES[bits])
    return converted
