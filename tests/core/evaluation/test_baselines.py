"""Classical denoisers: each of them denoises, and reports a missing library."""

import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from n2n_core.errors import ConfigError, ShapeError
from n2n_core.evaluation import baselines
from n2n_core.evaluation.baselines import ALL, BASELINES, Array, Baseline
from n2n_core.metrics.psnr import psnr
from tests.scenes import SIGMA, smooth

ROOT = Path(__file__).parents[3]
NAMES = [
    pytest.param(
        name, marks=pytest.mark.skipif(name == "bm3d" and bool(baseline.missing()), reason="not installed")
    )
    for name, baseline in BASELINES.items()
]


def scene(channels: int, height: int = 48, width: int = 64) -> tuple[Array, Array]:
    """A smooth picture, noisy and clean."""
    clean: Array = smooth(1, height, width)[0, :channels].numpy()
    rng = np.random.default_rng(0)
    return clean + SIGMA * rng.standard_normal(clean.shape, np.float32), clean


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_noisy_scene_gets_better(name: str, channels: int) -> None:
    noisy, clean = scene(channels)
    before = noisy.copy()
    output = BASELINES[name](noisy, SIGMA)
    assert output.shape == clean.shape
    assert output.dtype == np.float32
    assert psnr(output, clean, 1) > psnr(noisy, clean, 1) + 4
    assert np.array_equal(noisy, before)


@pytest.mark.parametrize("name", NAMES)
def test_the_level_is_heard(name: str) -> None:
    noisy, _ = scene(3)
    little, much = (BASELINES[name](noisy, sigma) for sigma in (SIGMA / 50, SIGMA))
    assert np.abs(little - noisy).mean() < 0.5 * np.abs(much - noisy).mean()
    assert np.array_equal(BASELINES[name](noisy, 0), noisy)


@pytest.mark.parametrize("size", [(32, 32), (9, 8)])
@pytest.mark.parametrize("name", NAMES)
def test_small_pictures_are_taken(name: str, size: tuple[int, int]) -> None:
    noisy, _ = scene(3, *size)
    assert np.isfinite(BASELINES[name](noisy, SIGMA)).all()


@pytest.mark.parametrize("name", NAMES)
def test_colours_keep_their_order(name: str) -> None:
    red = np.zeros((3, 32, 32), np.float32)
    red[0] = 0.8
    output = BASELINES[name](red, 0.02)
    assert output.mean((1, 2)) == pytest.approx([0.8, 0, 0], abs=0.03)


@pytest.mark.parametrize("name", NAMES)
def test_grey_in_three_channels_is_denoised_and_stays_grey(name: str) -> None:
    noisy, clean = scene(1)
    output = BASELINES[name](noisy.repeat(3, axis=0), SIGMA)
    assert np.ptp(output, axis=0).max() < 0.01  # some convert colours, and round
    assert psnr(output[:1], clean, 1) > psnr(noisy, clean, 1) + 2


def test_opencv_uses_the_threads_that_it_is_given() -> None:
    noisy, _ = scene(3)
    before = cv2.getNumThreads()
    for threads in (2, 1):
        BASELINES["fast-nlm"](noisy, SIGMA, threads)
        assert cv2.getNumThreads() == threads
    cv2.setNumThreads(before)


@pytest.mark.parametrize("shape", [(32, 32), (2, 32, 32), (3, 0, 32)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected \(3 or 1, H, W\)"):
        BASELINES["tv"](np.zeros(shape, np.float32), SIGMA)


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_what_is_no_level_is_refused(sigma: float) -> None:
    with pytest.raises(ConfigError, match=f"sigma is {sigma}, expected"):
        BASELINES["tv"](np.zeros((1, 8, 8), np.float32), sigma)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'median'; known baselines: wavelet, nlm, tv, fast-nlm, bm3d"):
        baselines.chosen(["tv", "median"])


def test_a_missing_library_is_told_and_left_out_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Baseline(
        "not there", lambda image, sigma, threads: image, ("no_such_library",), "pip install it"
    )
    monkeypatch.setitem(BASELINES, "absent", absent)
    with pytest.raises(ConfigError, match="'absent' needs no_such_library: pip install it"):
        baselines.chosen(["tv", "absent"])
    assert list(baselines.chosen(["nlm", ALL, "tv"]))[:2] == ["nlm", "wavelet"]
    assert set(baselines.chosen([ALL])) - {"bm3d"} == {"wavelet", "nlm", "tv", "fast-nlm"}


def test_the_extra_is_named_where_it_helps_and_bm3d_is_in_none() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "baselines" in extras
    for name, baseline in BASELINES.items():
        assert ("n2n[baselines]" in baseline.install) == (name != "bm3d")
    assert "non-commercial" in BASELINES["bm3d"].install
    assert "bm3d" not in (ROOT / "pyproject.toml").read_text().partition("[tool.")[0]


def test_libraries_are_imported_by_those_who_use_them() -> None:
    heavy = "{'skimage', 'cv2', 'torch'} & set(sys.modules)"
    program = f"import sys, n2n_core.evaluation.baselines; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
