"""Noise of a camera's sensor after development of the photo, with its own parameters for each image."""

from __future__ import annotations

from math import pi, sqrt
from typing import NamedTuple

import torch
from torch import Generator, Tensor

COARSE = 2.5
"""Standard deviation in pixels of the blur of coarse noise, which denoising and compression leave behind."""


class Sensor(NamedTuple):
    """``corruptions.Camera`` with parameters per image, of shape ``(..., 1, 1, 1)``; ``gain`` is 1 / lam."""

    gain: Tensor
    sigma: Tensor
    blur: Tensor
    coarse: Tensor
    shadow: Tensor
    correlation: Tensor

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy of ``image``, ``(..., C, H, W)``."""
        own, common = _normal(image, image.shape[-3], generator), _normal(image, 1, generator)
        n = own * (1 - self.correlation).sqrt() + common * self.correlation.sqrt()
        read = self.sigma * (1 - self.shadow * image.clamp(0, 1))
        return image + (image.clamp(min=0) * self.gain + read.square()).sqrt() * self._filtered(n)

    def mean_of(self, count: int) -> Sensor:
        """Return the noise of the mean of ``count`` copies."""
        return self._replace(gain=self.gain / count, sigma=self.sigma / sqrt(count))

    def clean(self, image: Tensor) -> Tensor:
        """Return the image itself."""
        return image

    def _filtered(self, n: Tensor) -> Tensor:
        """Turn white noise of unit variance into coloured noise of unit variance, with periodic borders."""
        coarse = torch.full_like(self.blur, COARSE)
        power = torch.lerp(_power(self.blur, n.shape), _power(coarse, n.shape), self.coarse)
        coloured: Tensor = torch.fft.irfft2(torch.fft.rfft2(n) * power.sqrt(), s=n.shape[-2:])
        return coloured


def _power(blur: Tensor, shape: torch.Size) -> Tensor:
    """Return the power spectrum of blurred white noise at the frequencies of ``rfft2``; its mean is 1."""
    down, across = (_gain(blur, length) for length in shape[-2:])
    return down.transpose(-2, -1) * across[..., : shape[-1] // 2 + 1]


def _gain(blur: Tensor, length: int) -> Tensor:
    """Return the power spectrum along one axis, ``(..., 1, length)``; its mean is 1."""
    frequencies = torch.fft.fftfreq(length, device=blur.device)
    power = (-(2 * pi * blur * frequencies).square()).exp()
    unit: Tensor = power / power.mean(-1, keepdim=True)
    return unit


def _normal(image: Tensor, channels: int, generator: Generator) -> Tensor:
    """Draw standard normal noise of the shape of ``image``, but with ``channels`` channels."""
    *lead, _, height, width = image.shape
    shape = (*lead, channels, height, width)
    n = torch.randn(shape, generator=generator, dtype=image.dtype, device=generator.device)
    return n.to(image.device)
