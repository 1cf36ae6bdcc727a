"""Pictures for tests: photos that scikit-image ships, and drawn ones."""

from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Generator, Tensor

from n2n_core.datasets.course_rule import CourseRule
from n2n_core.datasets.pairs import Pairs
from n2n_core.image.rounding import to_bytes

PHOTOS = ("astronaut", "coffee", "chelsea", "rocket")


def photo(name: str = "astronaut") -> Tensor:
    """A photo as ``(3, H, W)`` floats in [0, 1]."""
    return torch.from_numpy(np.array(getattr(data, name)())).permute(2, 0, 1) / 255


def course_pairs(count: int, seed: int = 0) -> Pairs:
    """``(noisy, clean)`` pairs of 32x32 pixels, point-sampled from the photos."""
    rule, generator = CourseRule(), Generator().manual_seed(seed)
    photos = [photo(name) for name in PHOTOS]
    crops = [rule.crop(photos[i % len(photos)], generator) for i in range(count)]
    noisy = torch.stack([to_bytes(corruption(crop, generator)) for crop, corruption in crops])
    clean = torch.stack([to_bytes(corruption.clean(crop)) for crop, corruption in crops])
    return Pairs(noisy, clean)


def drawn(mode: str = "RGB", width: int = 40, height: int = 28, seed: int = 0) -> Image.Image:
    """A smooth picture with some noise, in any of Pillow's modes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = np.stack([x * 255 / width, y * 255 / height, (x + y) % 64 * 4, 255 - x * 6 % 256], axis=-1)
    values = np.clip(planes + rng.normal(0, 8, planes.shape), 0, 255)
    if mode == "I;16":
        return Image.fromarray((values[..., 0] * 257).astype(np.uint16))
    channels = 4 if mode.endswith("A") else 3
    return Image.fromarray(values[..., :channels].astype(np.uint8)).convert(mode)


def file(image: Image.Image, format: str = "png", **options: Any) -> bytes:
    """The picture as a file."""
    buffer = BytesIO()
    image.save(buffer, format.upper(), **options)
    return buffer.getvalue()


def opened(content: bytes) -> Image.Image:
    """The file as a picture, decoded."""
    image = Image.open(BytesIO(content))
    image.load()
    return image
