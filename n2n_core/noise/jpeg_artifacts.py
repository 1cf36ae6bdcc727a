"""JPEG artifacts: pictures as they are after JPEG compression.

Only the lossy steps of baseline JPEG (ITU-T T.81), as JFIF files use them, are carried out: YCbCr, chroma
optionally at half the resolution, 8x8 cosine transforms, and quantisation by the tables of annex K, scaled as
libjpeg scales them.
"""

from __future__ import annotations

from functools import cache
from math import cos, pi, sqrt

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d, interpolate

BLOCK = 8
MULTIPLE = 2 * BLOCK
"""Sides must be multiples of this, so that chroma at half the resolution has whole blocks."""

QUALITY = (60, 100)
"""Range of ``compress_randomly``."""

TO_YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))
LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * BLOCK,) * 4,
)


def compress(image: Tensor, quality: Tensor, halved: Tensor) -> Tensor:
    """Return ``image`` after JPEG compression.

    Args:
        image: ``(N, 3, H, W)`` floats, clipped to [0, 1]; ``H`` and ``W`` are multiples of ``MULTIPLE``.
        quality: libjpeg's quality, 1 to 100, ``(N, 1, 1, 1)``.
        halved: whether chroma has half the resolution (4:2:0), ``(N, 1, 1, 1)``.
    """
    levels = (image.clamp(0, 1) * 255).round()
    planes = torch.einsum("ij,njhw->nihw", _constant(TO_YCBCR, image), levels)
    luma, colour = _quantised(planes[:, :1] - 128, LUMINANCE, quality) + 128, planes[:, 1:]
    half = _quantised(avg_pool2d(colour, 2), CHROMINANCE, quality)
    half = interpolate(half, scale_factor=2, mode="bilinear")
    colour = torch.where(halved, half, _quantised(colour, CHROMINANCE, quality))
    back = torch.einsum("ij,njhw->nihw", _constant(TO_RGB, image), torch.cat((luma, colour), 1))
    return back.round().clamp(0, 255) / 255


def compress_randomly(image: Tensor, generator: Generator) -> Tensor:
    """Return images ``(N, 3, H, W)`` of any size after JPEG compression with random settings.

    The quality is uniform from 60 to 100, and half of the images have chroma at half the resolution. The
    grid of blocks starts at a random pixel, as in a crop of a larger picture.
    """

    def random(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator, device=generator.device).to(image.device)

    *_, height, width = image.shape
    low, high = QUALITY
    down, across = (random(2) * MULTIPLE).long()

    def indices(length: int) -> Tensor:
        return torch.arange(length, device=image.device)

    rows, columns = (-(-length // MULTIPLE) * MULTIPLE + MULTIPLE for length in (height, width))
    around = image.index_select(-2, (indices(rows) - down).clamp(0, height - 1))
    around = around.index_select(-1, (indices(columns) - across).clamp(0, width - 1))
    quality = (low + random(len(image), 1, 1, 1) * (high - low)).round()
    whole = compress(around, quality, random(len(image), 1, 1, 1) < 0.5)
    return whole.index_select(-2, indices(height) + down).index_select(-1, indices(width) + across)


def _quantised(planes: Tensor, table: tuple[tuple[int, ...], ...], quality: Tensor) -> Tensor:
    """Quantise the cosine transform of ``(N, C, H, W)`` planes, and transform back."""
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = ((_constant(table, planes) * scale + 50) / 100).floor().clamp(1, 255)
    steps = steps.reshape(-1, 1, 1, 1, BLOCK**2)
    n, channels, height, width = planes.shape
    down, across = height // BLOCK, width // BLOCK
    blocks = planes.reshape(n, channels, down, BLOCK, across, BLOCK).transpose(3, 4)
    basis = torch.kron(*(_constant(_basis(), planes),) * 2)  # (64, 64)
    found = ((blocks.reshape(n, channels, down, across, BLOCK**2) @ basis.T) / steps).round() * steps
    blocks = (found @ basis).reshape(blocks.shape)
    return blocks.transpose(3, 4).reshape(planes.shape)


@cache
def _basis() -> tuple[tuple[float, ...], ...]:
    """Return the orthonormal cosine transform of 8 values, ``(8, 8)``, one frequency per row."""
    return tuple(
        tuple(
            (sqrt(1 / BLOCK) if k == 0 else sqrt(2 / BLOCK)) * cos(pi * (2 * i + 1) * k / (2 * BLOCK))
            for i in range(BLOCK)
        )
        for k in range(BLOCK)
    )


def _constant(rows: tuple[tuple[float, ...], ...], like: Tensor) -> Tensor:
    return torch.tensor(rows, dtype=like.dtype, device=like.device)
