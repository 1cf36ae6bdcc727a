"""What is measured of a picture on request, without torch; seconds of a core for a large one."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from n2n_core.image import WHITE, Bits, Pixels, rounded
from n2n_core.metrics.single import SIDE, psnr, ssim
from n2n_core.noise.estimation import noise_level

LEVELS = 255
"""Grey levels: what noise and spread are told in."""


@dataclass(frozen=True)
class Quality:
    """Of one picture, as a file of its depth has it.

    Args:
        noise: its level, in grey levels of 0 to 255.
        psnr: in dB against the reference; None without one, and where it is infinite.
        ssim: None without a reference, and where the picture has a side below 7.
    """

    noise: float
    psnr: float | None = None
    ssim: float | None = None


def quality(colour: Pixels, clean: Pixels | None, bits: Bits = 8) -> Quality:
    """Of ``(C, H, W)`` in [0, 1], rounded to ``bits`` (32: floats), against a reference of the same shape."""
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
    """The mean, and what 95 of 100 pixels are below, in grey levels."""
    return float(spread.mean()) * LEVELS, float(np.percentile(spread, 95)) * LEVELS
