"""The estimator finds known noise levels."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from n2n_core.errors import ShapeError
from n2n_core.noise.estimation import Array, noise_level
from tests.pictures import photo

LEVELS = [5, 10, 15, 25, 50]


def scene(side: int = 256, channels: int = 3) -> Array:
    """Waves that grow finer from the left to the right, an edge, and a grey wedge; in [0.2, 0.8]."""
    y, x = np.mgrid[:side, :side] / side
    waves = np.sin(40 * x**2 + 9 * y) * np.sin(30 * y) * (y < 0.6)
    planes = [0.5 + 0.15 * waves + 0.1 * (x + y > 1.1) - 0.05 * c * x for c in range(channels)]
    return np.stack(planes).astype(np.float32)


def noise(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def saved(image: Array) -> Array:
    """As an 8-bit file has it."""
    return np.rint(image * 255).clip(0, 255).astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_known_level_is_found(sigma: int, channels: int) -> None:
    clean = scene(channels=channels)
    noisy = clean + np.float32(sigma / 255) * noise(clean.shape)
    assert noise_level(noisy) * 255 == pytest.approx(sigma, rel=0.04)


@pytest.mark.parametrize("sigma", LEVELS)
@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
def test_photos_as_files_keep_their_level(name: str, sigma: int) -> None:
    clean = photo(name).numpy()
    noisy = saved(clean + np.float32(sigma / 255) * noise(clean.shape))
    own = noise_level(clean) * 255  # photos have noise of their own
    assert own < 2
    assert noise_level(noisy) * 255 == pytest.approx(np.hypot(sigma, own), rel=0.09, abs=0.3)


def test_more_noise_is_a_higher_level() -> None:
    clean, grain = scene(), noise((3, 256, 256))
    levels = [noise_level(clean + np.float32(sigma / 255) * grain) for sigma in range(0, 60, 4)]
    assert all(a < b for a, b in pairwise(levels))


@given(scale=st.floats(0.01, 1), offset=st.floats(0.001, 0.5))
@settings(max_examples=20, deadline=None)
def test_the_level_scales_with_the_picture(scale: float, offset: float) -> None:
    image = scene(64) / 2 + np.float32(0.02) * noise((3, 64, 64))
    changed = np.float32(scale) * image + np.float32(offset)
    assert noise_level(changed) == pytest.approx(scale * noise_level(image), rel=1e-2, abs=1e-6)


def test_grey_is_colour_of_equal_channels() -> None:
    grey = scene(channels=1) + np.float32(0.05) * noise((1, 256, 256))
    assert noise_level(grey.repeat(3, 0)) == pytest.approx(noise_level(grey), rel=1e-4)


def test_channels_are_averaged_as_variances() -> None:
    levels = np.array([0.02, 0.05, 0.1], np.float32)
    noisy = scene() + levels[:, None, None] * noise((3, 256, 256))
    assert noise_level(noisy) == pytest.approx(np.sqrt(np.mean(levels**2)), rel=0.05)


def test_noise_that_depends_on_brightness_gives_its_mean_level() -> None:
    wedge = np.broadcast_to(np.linspace(0.1, 0.9, 400, dtype=np.float32), (1, 300, 400))
    variances = 0.02 * wedge  # as of Poisson noise
    noisy = wedge + np.sqrt(variances) * noise(wedge.shape)
    assert noise_level(noisy) == pytest.approx(np.sqrt(variances.mean()), rel=0.06)


def test_clipped_regions_do_not_count() -> None:
    clean = scene()
    clean[:, :100] = 1.5  # a sky that is burnt out
    noisy = saved(clean + np.float32(20 / 255) * noise(clean.shape))
    assert noise_level(noisy) * 255 == pytest.approx(20, rel=0.05)


@pytest.mark.parametrize("shape", [(1, 5000, 9), (3, 9, 5000), (1, 2000, 2000)])
def test_size_does_not_matter(shape: tuple[int, ...]) -> None:
    assert noise_level(0.5 + np.float32(0.05) * noise(shape)) == pytest.approx(0.05, rel=0.08)


@pytest.mark.parametrize("value", [0, 0.3, 1])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 2), (1, 7, 3), (3, 8, 8), (3, 60, 90)])
def test_a_constant_picture_has_none(shape: tuple[int, ...], value: float) -> None:
    assert noise_level(np.full(shape, value, np.float32)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 1, 500), (1, 500, 1)])
def test_a_single_row_tells_nothing(shape: tuple[int, ...]) -> None:
    assert noise_level(noise(shape)) == 0


@pytest.mark.parametrize("side", range(2, 12))
def test_the_smallest_pictures_give_the_right_order(side: int) -> None:
    levels = [noise_level(0.5 + np.float32(0.05) * noise((3, side, side), seed)) for seed in range(200)]
    assert np.median(levels) == pytest.approx(0.05, rel=0.4)


pixels = st.tuples(st.sampled_from([1, 3]), st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)


@given(pixels)
@settings(max_examples=100, deadline=None)
def test_any_picture_has_a_level(image: Array) -> None:
    level = noise_level(image)
    assert 0 <= level <= 4


@pytest.mark.parametrize("shape", [(8, 8), (3, 0, 8), (1, 3, 8, 8)])
def test_wrong_shapes_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"noise_level: the image's shape is \(.*expected \(C, H, W\)"):
        noise_level(np.zeros(shape, np.float32))
