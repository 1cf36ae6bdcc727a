"""PSNR equals scikit-image's; both means are correct; tensors and arrays give the same result."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torch import Generator, Tensor

from n2n_core.errors import ShapeError
from n2n_core.image.rounding import rounded, to_bytes
from n2n_core.metrics.psnr import decibels, mean_psnr, psnr, squared_errors
from tests.pictures import course_pairs


def by_skimage(image: Tensor, clean: Tensor, data_range: float) -> float:
    ratio: Callable[..., Any] = peak_signal_noise_ratio
    return float(ratio(clean.numpy(), image.numpy(), data_range=data_range))


@pytest.mark.parametrize("data_range", [255.0, 1.0])
def test_both_means_are_scikit_images(data_range: float) -> None:
    noisy, clean = course_pairs(6)
    if data_range == 1:
        noisy, clean = noisy.double() / 255, clean.double() / 255
    found = mean_psnr(noisy, clean, data_range)
    each = [by_skimage(a, b, data_range) for a, b in zip(noisy, clean, strict=True)]
    assert found.per_image == pytest.approx(sum(each) / 6)
    assert found.pooled == pytest.approx(by_skimage(noisy, clean, data_range))
    assert found.pooled < found.per_image


def test_one_image_has_one_psnr() -> None:
    noisy, clean = course_pairs(1)
    found = mean_psnr(noisy, clean)
    assert found.pooled == pytest.approx(found.per_image)


def test_bytes_do_not_wrap_around() -> None:
    black, white = (
        torch.zeros(1, 1, 2, 2, dtype=torch.uint8),
        torch.full((1, 1, 2, 2), 255, dtype=torch.uint8),
    )
    assert mean_psnr(black, white).per_image == mean_psnr(white, black).per_image == 0
    assert squared_errors(black, white) == [65025]


def test_identical_images_give_infinity() -> None:
    clean = torch.rand(2, 3, 4, 4, generator=Generator().manual_seed(0))
    same = mean_psnr(clean, clean)
    assert same.per_image == same.pooled == math.inf
    half = mean_psnr(torch.stack([clean[0], 1 - clean[1]]), clean, 1.0)
    assert half.per_image == math.inf
    assert half.pooled < math.inf


def test_small_errors_of_many_pixels_are_summed_exactly() -> None:
    clean = torch.full((1, 1, 1000, 1000), 200, dtype=torch.uint8)
    assert mean_psnr(clean + 1, clean).per_image == pytest.approx(10 * math.log10(255**2), abs=1e-9)


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ShapeError, match=r"the image's shape is \(1, 3, 4, 4\), expected \(1, 1, 4, 4\)"):
        mean_psnr(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize(
    ("value", "byte"),
    [(0.0, 0), (1.0, 255), (-3.0, 0), (7.0, 255), (0.49 / 255, 0), (0.51 / 255, 1), (254.6 / 255, 255)],
)
def test_floats_become_bytes_as_in_a_saved_file(value: float, byte: int) -> None:
    assert to_bytes(torch.tensor([value])).tolist() == [byte]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bytes_survive_the_way_to_floats_and_back(dtype: torch.dtype) -> None:
    values = torch.arange(256, dtype=torch.uint8)
    assert to_bytes(values.to(dtype) / 255).equal(values)
    assert to_bytes(values.to(dtype) / 255).dtype == torch.uint8


def test_half_precision_is_rounded_in_single() -> None:
    values = torch.arange(256) / 255
    for dtype in (torch.float16, torch.bfloat16):
        assert to_bytes(values.to(dtype)).equal(to_bytes(values.to(dtype).float()))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_tensors_give_what_arrays_give(dtype: torch.dtype) -> None:
    noisy, clean = (images.to(dtype) for images in course_pairs(3))
    assert mean_psnr(noisy, clean) == mean_psnr(noisy.numpy(), clean.numpy())
    assert psnr(noisy[0], clean[0]) == squared_decibels(noisy[:1], clean[:1])


def squared_decibels(noisy: Tensor, clean: Tensor) -> float:
    (error,) = squared_errors(noisy, clean)
    return decibels(error)


@pytest.mark.parametrize("value", [0.5 / 255, 1.5 / 255, 0.1, 0.999, 1.2, -0.1])
def test_arrays_and_tensors_are_rounded_alike(value: float) -> None:
    values = torch.linspace(0, 1, 3001).add(value - 0.5)
    assert to_bytes(values).numpy().tolist() == rounded(values.numpy(), 255).astype(np.uint8).tolist()
