"""SSIM and PSNR are scikit-image's."""

import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from n2n_core.errors import ShapeError
from n2n_core.metrics import psnr as psnr_module
from n2n_core.metrics import ssim as ssim_module
from n2n_core.metrics.psnr import Array, psnr
from n2n_core.metrics.ssim import ssim
from tests.pictures import photo


def pair(channels: int, height: int, width: int, sigma: float = 20) -> tuple[Array, Array]:
    clean = (photo("chelsea").numpy()[:channels, :height, :width] * 255).round().astype(np.uint8)
    grain = np.random.default_rng(0).normal(0, sigma, clean.shape)
    return (clean + grain).round().clip(0, 255).astype(np.uint8), clean


@pytest.mark.parametrize("sigma", [1, 20, 100])
@pytest.mark.parametrize("shape", [(1, 7, 7), (3, 7, 30), (3, 61, 40), (1, 200, 300)])
def test_both_are_scikit_images(shape: tuple[int, int, int], sigma: float) -> None:
    noisy, clean = pair(*shape, sigma)
    expected = structural_similarity(noisy, clean, channel_axis=0, data_range=255)  # type: ignore[no-untyped-call]
    assert ssim(noisy, clean) == pytest.approx(expected, abs=1e-12)
    assert psnr(noisy, clean) == pytest.approx(peak_signal_noise_ratio(clean, noisy, data_range=255))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("strip", [1, 300, 1000, 61 * 40])
def test_strips_change_nothing(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    noisy, clean = pair(3, 61, 40)
    whole = psnr(noisy, clean), ssim(noisy, clean)
    monkeypatch.setattr(ssim_module, "STRIP", strip)
    monkeypatch.setattr(psnr_module, "CHUNK", strip)
    assert (psnr(noisy, clean), ssim(noisy, clean)) == pytest.approx(whole, abs=1e-12)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_picture() -> None:
    noisy, clean = (np.zeros((1, height, 4000), np.uint8) for height in (3000, 3000))
    noisy[:, 1::2] = 9
    tracemalloc.start()
    psnr(noisy, clean)
    ssim(noisy, clean)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 8 * ssim_module.STRIP  # of 12 million values, twenty strips of doubles at most


def test_the_range_is_of_the_values() -> None:
    noisy, clean = pair(3, 40, 50)
    assert ssim(noisy / 255, clean / 255, 1.0) == pytest.approx(ssim(noisy, clean))
    assert psnr(noisy / 255, clean / 255, 1.0) == pytest.approx(psnr(noisy, clean))
    halved = ssim((noisy / 255).astype(np.float32), (clean / 255).astype(np.float32), 1.0)
    assert halved == pytest.approx(ssim(noisy, clean), abs=1e-6)


def test_equal_pictures_are_at_the_top() -> None:
    _, clean = pair(3, 20, 20)
    assert ssim(clean, clean) == pytest.approx(1)
    assert psnr(clean, clean) == math.inf


def test_more_noise_is_less_similar() -> None:
    values = [ssim(*pair(3, 80, 80, sigma)) for sigma in (2, 5, 10, 30)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_shapes_must_be_equal(measure: Callable[[Array, Array], float]) -> None:
    with pytest.raises(ShapeError, match=r"shape is \(1, 9, 9\), expected \(3, 9, 9\)"):
        measure(np.zeros((1, 9, 9)), np.zeros((3, 9, 9)))


def test_ssim_needs_a_window() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 6, 9\), expected \(C, H, W\), sides of at least 7"):
        ssim(np.zeros((3, 6, 9)), np.zeros((3, 6, 9)))
