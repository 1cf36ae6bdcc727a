"""Self-ensemble: a picture is denoised in all eight of its flips and 90-degree rotations.

The mean of the eight results, each turned back, is nearer to the clean picture, at eight times the
price. Source: Timofte et al., "Seven ways to improve example-based single image super resolution"
(arXiv:1511.02228).
"""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor


def self_ensemble(denoise: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The mean of ``denoise`` over the eight symmetries of ``(N, C, H, W)`` images; same shape.

    >>> self_ensemble(lambda x: x, torch.ones(1, 3, 4, 6)).shape
    torch.Size([1, 3, 4, 6])
    """
    results = []
    for axes, turned in product(([], [2], [3], [2, 3]), (False, True)):
        image = images.flip(axes)
        result = denoise(image.transpose(2, 3)).transpose(2, 3) if turned else denoise(image)
        results.append(result.flip(axes))
    return torch.stack(results).mean(0)
