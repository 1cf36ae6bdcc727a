"""How close two images are."""

from dataclasses import dataclass

import torch
from torch import Tensor

from n2n_core.errors import ShapeError


def to_bytes(image: Tensor) -> Tensor:
    """Floats in [0, 1] to uint8, rounded and clipped as a saved file would be.

    >>> to_bytes(torch.tensor([-0.1, 0.5, 1.2])).tolist()
    [0, 128, 255]
    """
    return (image.float() * 255).round().clamp(0, 255).to(torch.uint8)


def squared_errors(image: Tensor, clean: Tensor) -> Tensor:
    """Mean squared error of each image, ``(N,)``, in units of the images squared."""
    if image.shape != clean.shape:
        raise ShapeError("psnr", "the image's shape", tuple(image.shape), str(tuple(clean.shape)))
    return (image.double() - clean.double()).pow(2).flatten(1).mean(1)


@dataclass(frozen=True)
class Psnr:
    """Both ways to average PSNR over a set, in dB."""

    per_image: float
    """Mean of the images' own PSNRs: the course's figure, and most papers'."""
    pooled: float
    """PSNR of one mean squared error over all pixels of the set."""


def psnr(images: Tensor, clean: Tensor, data_range: float = 255.0) -> Psnr:
    """Peak signal-to-noise ratio, ``10 log10(data_range^2 / MSE)``, of ``(N, C, H, W)`` images.

    Identical images give infinity, and so does the mean that holds one.

    >>> psnr(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 25.5)).per_image
    20.0
    """
    errors = squared_errors(images, clean)
    per_image = 10 * (data_range**2 / errors).log10()
    pooled = 10 * (data_range**2 / errors.mean()).log10()
    return Psnr(per_image.mean().item(), pooled.item())
