"""Figures of one method: how close it comes to the clean pictures, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from n2n_core.metrics.psnr import decibels, squared_errors
from n2n_core.metrics.ssim import SIDE, ssim


@dataclass
class Figures:
    """Figures of one method; the lists have an entry per picture.

    Args:
        errors: mean squared errors of 8-bit values.
        ssims: structural similarities; None if the picture is too small.
        pixels: number of pixels.
        seconds: total time of the method.
    """

    errors: list[float] = field(default_factory=list)
    ssims: list[float | None] = field(default_factory=list)
    pixels: list[int] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, output: Tensor, clean: Tensor) -> None:
        """Measure uint8 pictures, ``(N, C, H, W)`` each."""
        height, width = clean.shape[-2:]
        large = min(height, width) >= SIDE
        self.errors += squared_errors(output, clean)
        pairs = zip(output.numpy(), clean.numpy(), strict=True)
        self.ssims += [ssim(one, other) if large else None for one, other in pairs]
        self.pixels += [height * width] * len(clean)

    @property
    def psnrs(self) -> list[float]:
        """PSNR of each picture, in dB."""
        return [decibels(error) for error in self.errors]

    @property
    def psnr(self) -> float:
        """Mean of the pictures' PSNRs."""
        return sum(self.psnrs) / len(self.errors)

    @property
    def pooled(self) -> float:
        """PSNR of the mean squared error over all pixels."""
        squares = (error * pixels for error, pixels in zip(self.errors, self.pixels, strict=True))
        return decibels(sum(squares) / sum(self.pixels))

    @property
    def ssim(self) -> float | None:
        """Mean over the pictures that are large enough; None if there are none."""
        known = [value for value in self.ssims if value is not None]
        return sum(known) / len(known) if known else None

    @property
    def seconds_per_megapixel(self) -> float:
        """Time of the method alone, without reading, rounding and measuring."""
        return self.seconds / sum(self.pixels) * 1e6
