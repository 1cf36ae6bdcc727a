"""Noise level, PSNR and SSIM of one picture, for reports. Takes seconds of a core for a large picture."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from n2n_core.image import WHITE, Bits, Pixels, rounded
from n2n_core.metrics.psnr import psnr
from n2n_core.metrics.ssim import SIDE, ssim
from n2n_core.noise.estimation import noise_level

LEVELS = 255
"""Grey levels of 1.0: noise and spread are reported in them."""


@dataclass(frozen=True)
class Quality:
    """Measurements of one picture, with its values rounded to its depth.

    Args:
        noise: noise level in grey levels of 0 to 255.
        psnr: in dB; None without a reference, and if it is infinite.
        ssim: None without a reference, and if a side of the picture is below 7 pixels.
    """

    noise: float
    psnr: float | None = None
    ssim: float | None = None


def quality(colour: Pixels, clean: Pixels | None, bits: Bits = 8) -> Quality:
    """Measure ``(C, H, W)`` in [0, 1], rounded to ``bits`` (32: floats), against a reference of that shape.

    Raises:
        ShapeError: the reference has another shape.
    """
    white = WHITE[bits]
    pixels = _stored(colour, bits)
    noise = noise_level(pixels / np.float32(white)) * LEVELS
    if clean is None:
        return Quality(noise)
    reference = _stored(clean, bits)
    ratio = psnr(pixels, reference, white)
    similarity = ssim(pixels, reference, white) if min(colour.shape[1:]) >= SIDE else None
    return Quality(noise, ratio if isfinite(ratio) else None, similarity)


def _stored(values: Pixels, bits: Bits) -> Pixels:
    return values if bits == 32 else rounded(values, WHITE[bits])


def spread_figures(spread: Pixels) -> tuple[float, float]:
    """Return the mean and the 95th percentile of a spread, in grey levels."""
    return float(spread.mean()) * LEVELS, float(np.percentile(spread, 95)) * LEVELS
