"""Simulated JPEG artifacts equal those of libjpeg."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Generator, Tensor

from n2n_core.metrics.psnr import mean_psnr
from n2n_core.noise.jpeg_artifacts import compress, compress_randomly
from tests.pictures import photo


def by_libjpeg(image: Tensor, quality: int, halved: bool) -> Tensor:
    pixels = (image * 255).round().to(torch.uint8).movedim(0, -1).numpy()
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=2 if halved else 0)
    return torch.from_numpy(np.array(Image.open(file))).movedim(-1, 0).float() / 255


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("quality", [30, 60, 85, 100])
def test_it_is_what_libjpeg_gives(quality: int, halved: bool) -> None:
    image = photo("astronaut")[None, :, 64:320, 64:320]
    expected = by_libjpeg(image[0], quality, halved)[None]
    ours = compress(image, torch.full((1, 1, 1, 1), float(quality)), torch.tensor(halved).view(1, 1, 1, 1))
    assert mean_psnr(ours, expected).pooled > 38  # libjpeg computes in whole numbers
    lost, ours_lost = (mean_psnr(picture, image).pooled for picture in (expected, ours))
    assert ours_lost == pytest.approx(lost, abs=0.25 if quality < 100 else 3)


def test_a_batch_is_its_images() -> None:
    image = torch.stack([photo(name)[:, 64:128, 64:160] for name in ("astronaut", "coffee")])
    quality, halved = torch.tensor([60.0, 90]).view(2, 1, 1, 1), torch.tensor([True, False]).view(2, 1, 1, 1)
    both = compress(image, quality, halved)
    for i in range(2):
        torch.testing.assert_close(
            both[i : i + 1], compress(image[i : i + 1], quality[i : i + 1], halved[i : i + 1])
        )


@pytest.mark.parametrize("size", [(64, 64), (37, 21), (8, 8)])
def test_any_size_comes_back_alike_wherever_blocks_begin(size: tuple[int, int]) -> None:
    image = photo("coffee")[None, :, 50 : 50 + size[0], 50 : 50 + size[1]]
    for seed in range(8):
        found = compress_randomly(image, Generator().manual_seed(seed))
        assert found.shape == image.shape
        assert mean_psnr(found, image).pooled > 27
    again = compress_randomly(image, Generator().manual_seed(7))
    assert torch.equal(found, again)
