"""Noise finer than the levels of 8 bits: stretched, denoised and put back."""

from typing import Any, cast

import numpy as np
import pytest

from benchmarks.contrast_stretch import denoised, noisy, sky
from n2n_core.image import Pixels
from n2n_core.inference.contrast_stretch import FAINT, KNOWN, LEAST, Stretch
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights
from n2n_core.models.weights import Card
from n2n_core.noise.estimation import noise_level


def stretch_of(picture: Pixels) -> Stretch:
    stretch = Stretch.of(picture)
    assert stretch is not None
    return stretch


@pytest.mark.parametrize("level", [0.05, 0.5])
def test_a_sky_loses_its_noise_and_no_star(level: float) -> None:
    denoiser = Denoiser.load(weights.find("photo").path, "cpu")
    dark, clean = sky(160, 200)
    picture, sigma = noisy(clean, level), level / 255
    stretch = stretch_of(picture)
    result = stretch.undo(denoised(denoiser, stretch()))
    is_sky = clean - dark < 3 * sigma
    error = (result - clean)[is_sky]
    assert error.std() < sigma / 4
    assert abs(error.mean()) < sigma / 20
    is_star = clean - dark > 40 * sigma
    assert is_star.sum() > 100
    assert np.array_equal(result[is_star], picture[is_star])
    as_it_is = (denoised(denoiser, picture) - clean)[is_sky]
    assert np.abs(as_it_is).mean() > 2 * np.abs(error).mean()


@pytest.mark.parametrize("shape", [(3, 160, 200), (1, 64, 97), (3, 33, 500)])
def test_what_is_put_back_undone_is_the_picture(shape: tuple[int, int, int]) -> None:
    picture = noisy(sky(*shape[1:])[1], 0.3)[: shape[0]]
    stretch = stretch_of(picture)
    stretched = stretch()
    assert stretched.shape == shape
    assert stretched.dtype == np.float32
    assert 0 <= stretched.min() <= stretched.max() <= 1
    assert noise_level(stretched) == pytest.approx(KNOWN, rel=0.1)
    np.testing.assert_allclose(stretch.undo(stretched), picture, rtol=0, atol=1e-7)


def test_the_background_is_followed() -> None:
    dark, _ = sky(256, 320)
    stretched = stretch_of(noisy(dark, 0.3))()
    assert np.abs(stretched.mean((1, 2)) - 0.5).max() < 0.01
    assert stretched[..., :32].mean() == pytest.approx(stretched[..., -32:].mean(), abs=0.1)


@pytest.mark.parametrize("level", [0.0, 0.5 * LEAST, 1.05 * FAINT, 0.1])
def test_other_noise_is_left_to_the_network(level: float) -> None:
    rng = np.random.default_rng(0)
    assert Stretch.of((0.5 + level * rng.standard_normal((3, 128, 128))).astype(np.float32)) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 5), (31, 2)])
def test_pictures_may_be_small(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    picture = (0.2 + 0.001 * rng.standard_normal((3, *size))).astype(np.float32)
    stretch = Stretch.of(picture)
    if stretch is not None:
        assert stretch.undo(stretch()).shape == picture.shape


def test_the_spread_is_of_the_pictures_scale() -> None:
    picture = noisy(sky(64, 64)[0], 0.3)
    stretch = stretch_of(picture)
    spread = np.full((1, 64, 64), 0.01, np.float32)
    found = stretch.undo_spread(spread)
    assert found.shape == spread.shape
    assert np.median(found) == pytest.approx(0.01 / stretch.gain, rel=1e-4)


@pytest.mark.parametrize(
    ("corruption", "is_blind"),
    [({"name": "blind", "white": 0.7}, True), ({"name": "gaussian"}, False), (None, False), ("blind", False)],
)
def test_a_card_tells_whether_its_model_is_blind(corruption: object, is_blind: bool) -> None:
    assert Card({}, {"corruption": corruption}).is_blind == is_blind
    recipes: list[object] = [{}, [1], "x", None]  # those of files that are not ours, too
    for recipe in recipes:
        assert not Card({}, cast(dict[str, Any], recipe)).is_blind


def test_of_the_shipped_models_photo_is_blind() -> None:
    blind = [name for name, entry in weights.read_index().items() if weights.read_card(entry.path).is_blind]
    assert blind == ["photo"]
