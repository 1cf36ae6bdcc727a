"""Every check measures a defect of known size, and finds nothing in good data."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.filters import gaussian

from n2n_core.datasets.checks.report import Check, CheckReport
from n2n_core.datasets.checks.suite import check_dataset
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.writer import DatasetWriter
from tests.pairwise import grid
from tests.pictures import PHOTOS, opened, photo

Array = NDArray[Any]
SIGMA = 25 / 255
SCENES = [photo(name).numpy()[:, :256, :256] * 0.8 + 0.1 for name in PHOTOS]


def noisy(scenes: list[Array] = SCENES, sigma: float = SIGMA, seed: int = 1) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [scene + rng.normal(0, sigma, scene.shape) for scene in scenes]


def moved(scene: Array, down: float, right: float) -> Array:
    """By the Fourier transform, so exactly; what leaves on one side comes in on the other."""
    rows, columns = np.fft.fftfreq(scene.shape[1])[:, None], np.fft.fftfreq(scene.shape[2])
    turn = np.exp(-2j * np.pi * (rows * down + columns * right))
    return np.real(np.fft.ifft2(np.fft.fft2(scene) * turn))


def blurred(noise: Array, sigma: float) -> Array:
    return np.asarray(gaussian(noise, sigma, channel_axis=0))  # type: ignore[no-untyped-call]


class Make:
    """Datasets of arrays, and their reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, kind: str, *shots: list[Array], dtype: Any = np.float32) -> Dataset:
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        writer = DatasetWriter(folder, 10**10)
        for index, scene in enumerate(zip(*shots, strict=True)):
            writer.add(np.stack(scene).astype(dtype)[None], [f"scene {index}"])
        corruption = {"name": "gaussian", "sigma": 0.1} if kind == "clean" else None
        return writer.finish(kind, "x", "x", corruption)

    def find(self, name: str, kind: str, *shots: list[Array]) -> Check:
        return one(check_dataset(self(kind, *shots)), name)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return Make(tmp_path)


def one(report: CheckReport, name: str) -> Check:
    return next(found for found in report.checks if found.name == name)


def assert_fine(report: CheckReport) -> None:
    assert [(c.name, c.verdict) for c in report.checks] == [(c.name, "fine") for c in report.checks]
    assert all(not c.advice for c in report.checks)
    assert (report.verdict, report.blocks()) == ("fine", [])


@pytest.mark.parametrize("sigma", [5 / 255, SIGMA, 100 / 255])
@pytest.mark.parametrize("kind", ["pairs", "bursts"])
def test_good_shots_are_fine(make: Make, kind: str, sigma: float) -> None:
    shots = [noisy(sigma=sigma, seed=seed) for seed in range(2 if kind == "pairs" else 4)]
    report = check_dataset(make(kind, *shots))
    assert_fine(report)
    names = "shape range clipped identical bias shift independent correlation noise brightness"
    assert [c.name for c in report.checks] == names.split()


@pytest.mark.parametrize("sigma", [5 / 255, SIGMA])
def test_good_single_pictures_are_fine(make: Make, sigma: float) -> None:
    assert_fine(check_dataset(make("single", noisy(sigma=sigma))))


def test_left_out_files_are_told_and_hinder_nothing(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, 10**10)
    for scene in noisy():
        writer.add(scene[None, None].astype(np.float32))
    left_out = ["m31.fits", "odd\x1b[2J", "a", "b", "c", "d"]
    report = check_dataset(writer.finish("single", "x", "x", None, left_out))
    assert_fine(report)
    told = one(report, "files")
    assert (told.figure, told.unit) == (6, "files")
    assert told.message == (
        "6 files were left out because they are not readable pictures: m31.fits, 'odd\\x1b[2J', a, b, c, ..."
    )


def test_good_clean_pictures_are_fine(make: Make) -> None:
    assert_fine(check_dataset(make("clean", SCENES)))


def test_grey_and_small_and_8_bit_pictures_are_fine(make: Make) -> None:
    pieces = [
        [s[:1, y : y + 48, x : x + 48] for s in shot for y in range(0, 192, 48) for x in range(0, 192, 48)]
        for shot in (noisy(seed=1), noisy(seed=2))
    ]
    pieces = [[np.rint(piece.clip(0, 1) * 255) for piece in shot] for shot in pieces]
    dataset = make("pairs", *pieces, dtype=np.uint8)
    assert dataset.shape(0) == (1, 48, 48)
    assert_fine(check_dataset(dataset))


@pytest.mark.parametrize("sigma", [5, 25, 60])
@pytest.mark.parametrize(("kind", "tolerance"), [("pairs", 0.01), ("single", 0.1)])
def test_the_noise_is_measured(make: Make, kind: str, tolerance: float, sigma: float) -> None:
    shots = [noisy(sigma=sigma / 255, seed=seed) for seed in range(2 if kind == "pairs" else 1)]
    found = one(check_dataset(make(kind, *shots)), "noise")
    assert found.figure == pytest.approx(sigma, rel=tolerance)
    assert (found.verdict, found.unit) == ("fine", "of 255")


@pytest.mark.parametrize(("sigma", "advice"), [(0.3, "hardly any noise"), (150, "hides the scene")])
def test_too_little_noise_and_too_much(make: Make, sigma: float, advice: str) -> None:
    found = make.find("noise", "pairs", *(noisy(sigma=sigma / 255, seed=seed) for seed in range(2)))
    assert found.verdict == "warning"
    assert advice in found.advice


@pytest.mark.parametrize("kind", ["pairs", "single"])
def test_a_dark_sky_of_16_bits_has_noise_enough_and_is_seen(make: Make, kind: str) -> None:
    rng = np.random.default_rng(0)
    skies = [[900 + rng.normal(0, 150, (1, 96, 96)) for _ in range(3)] for _ in range(2)]
    for shot in skies:
        for sky in shot:
            sky[0, 50, 50] = 60000  # a star
    shots = [[sky / 65535 for sky in shot] for shot in skies[: 2 if kind == "pairs" else 1]]
    report = check_dataset(make(kind, *shots))
    found = one(report, "noise")
    assert found.verdict == "fine"
    assert found.figure == pytest.approx(150 / 257, rel=0.1)
    assert re.search(r" of 255, 2\d\.\d% of the contrast", found.message)
    assert 90 < np.asarray(opened(report.picture))[20:108, 20:108].mean() < 165


def test_noise_in_clean_pictures(make: Make) -> None:
    found = make.find("noise", "clean", noisy(sigma=10 / 255))
    assert found.verdict == "warning"
    assert found.figure == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize(("down", "right"), [(0.5, 0), (0, -0.5), (0.25, 0.3), (2.3, -1.4), (0, 9)])
@pytest.mark.parametrize(
    "sigma", [pytest.param(0, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 25]
)
def test_a_shift_is_measured_within_a_tenth_of_a_pixel(
    make: Make, down: float, right: float, sigma: float
) -> None:
    first = noisy(sigma=sigma / 255, seed=1)
    second = noisy([moved(scene, down, right) for scene in SCENES], sigma / 255, seed=2)
    found = make.find("shift", "pairs", first, second)
    assert found.figure == pytest.approx(np.hypot(down, right), abs=0.1)
    assert found.verdict == "warning"
    assert "tripod" in found.advice


def test_a_shift_has_a_direction(make: Make) -> None:
    second = noisy([moved(scene, 1, -2) for scene in SCENES], seed=2)
    message = make.find("shift", "pairs", noisy(), second).message
    right, down = (float(word) for word in re.findall(r"[+-][\d.]+", message))
    assert down == pytest.approx(1, abs=0.1)
    assert right == pytest.approx(-2, abs=0.1)


def test_a_shift_is_found_under_heavy_noise(make: Make) -> None:
    scenes = [np.roll(s, k * 31, axis=2) for s in SCENES for k in range(4)]
    second = noisy([moved(scene, 1.5, 0) for scene in scenes], 80 / 255, seed=2)
    found = make.find("shift", "pairs", noisy(scenes, 80 / 255), second)
    assert found.verdict == "warning"
    assert found.figure == pytest.approx(1.5, abs=0.25)


def test_scenes_that_moved_each_their_own_way_are_found(make: Make) -> None:
    ways = [(2, 0), (-2, 0), (0, 2), (0, -2)]
    second = noisy([moved(scene, *way) for scene, way in zip(SCENES, ways, strict=True)], 5 / 255, seed=2)
    found = make.find("shift", "pairs", noisy(sigma=5 / 255), second)
    assert found.verdict == "warning"
    assert found.figure == pytest.approx(2, abs=0.3)


def test_even_pictures_show_no_shift(make: Make) -> None:
    even = [np.full((3, 64, 64), 0.5)] * 3
    assert make.find("shift", "pairs", noisy(even), noisy(even, seed=2)).verdict == "fine"


@pytest.mark.parametrize("sigma", [0.6, 0.8])
@pytest.mark.parametrize("kind", ["pairs", "single"])
def test_correlated_noise_is_measured(make: Make, kind: str, sigma: float) -> None:
    """White noise blurred by g has the correlation of g with itself: exp(-1 / (4 sigma^2))."""
    grain = [blurred(noise, sigma) for noise in noisy([np.zeros((3, 256, 256))] * 8, seed=3)]
    white = grain[0]
    expected = float((white[..., 1:] * white[..., :-1]).mean() / (white**2).mean())
    shots = [[s + g for s, g in zip(SCENES, grain[i : i + 4], strict=True)] for i in (0, 4)]
    found = one(check_dataset(make(kind, *shots[: 2 if kind == "pairs" else 1])), "correlation")
    assert found.figure == pytest.approx(expected, abs=0.03 if kind == "pairs" else 0.1)
    assert found.verdict == "warning"
    assert "JPEG" in found.advice


@pytest.mark.parametrize("bias", [0.02, -0.1])
def test_a_bias_is_measured(make: Make, bias: float) -> None:
    second = [s + bias for s in noisy(seed=2)]
    found = make.find("bias", "pairs", noisy(), second)
    assert found.figure == pytest.approx(abs(bias) / SIGMA, rel=0.05)
    assert found.verdict == "warning"
    assert "exposure" in found.advice


def test_a_light_that_flickers_is_found(make: Make) -> None:
    second = [s + step for s, step in zip(noisy(seed=2), (0.1, -0.1, 0.1, -0.1), strict=True)]
    found = make.find("bias", "pairs", noisy(), second)
    assert found.verdict == "warning"
    assert found.figure == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("count", "verdict"), [(1, "warning"), (4, "refuse")])
def test_identical_pictures_are_counted_and_named(make: Make, count: int, verdict: str) -> None:
    first = noisy(SCENES * 3)
    second = [*first[:count], *noisy(SCENES * 3, seed=2)[count:]]
    found = make.find("identical", "pairs", first, second)
    assert found.verdict == verdict
    assert found.figure == pytest.approx(count / 12, abs=1e-4)
    assert "scene 0" in found.message


def test_even_pictures_may_be_identical(make: Make) -> None:
    black = [np.zeros((3, 64, 64)) for _ in range(3)]
    assert make.find("identical", "pairs", black, black).verdict == "fine"


@pytest.mark.parametrize(
    ("clipped", "end", "kind"),
    grid([(0.1, "warning"), (0.6, "refuse"), (0.01, "fine")], (0, 1), ("pairs", "single", "clean")),
)
def test_clipping_is_measured(make: Make, kind: str, end: int, clipped: tuple[float, str]) -> None:
    share, verdict = clipped
    shots = [noisy(seed=seed) for seed in range(2 if kind == "pairs" else 1)]
    level = np.quantile(np.stack(shots), share if end == 0 else 1 - share)
    cut: Callable[[Array], Array] = lambda p: np.where(p < level if end == 0 else p > level, end, p)  # noqa: E731
    found = make.find("clipped", kind, *([cut(p) for p in shot] for shot in shots))
    assert found.figure == pytest.approx(share, abs=0.005)
    assert found.verdict == verdict


def test_the_noise_s_dependence_on_brightness_is_measured(make: Make) -> None:
    rng = np.random.default_rng(0)
    shots = [[s + rng.normal(0, 1, s.shape) * np.sqrt(0.02 * s + 0.0004) for s in SCENES] for _ in range(2)]
    found = make.find("brightness", "pairs", *shots)
    assert found.verdict == "fine"
    assert found.figure == pytest.approx(0.02, rel=0.1)
    assert float(found.message.split()[-1]) == pytest.approx(0.0004, abs=0.0003)


def test_noise_that_falls_with_brightness_is_found(make: Make) -> None:
    rng = np.random.default_rng(0)
    shots = [[s + rng.normal(0, 1, s.shape) * 0.2 * (1 - s) for s in SCENES] for _ in range(2)]
    assert make.find("brightness", "pairs", *shots).verdict == "warning"


@pytest.mark.parametrize(("shared", "verdict"), [(0.2, "fine"), (0.8, "warning")])
def test_noise_that_both_shots_share_is_measured(make: Make, shared: float, verdict: str) -> None:
    pattern = noisy([np.zeros_like(s) for s in SCENES], SIGMA * shared**0.5, seed=3)
    shots = [
        [s + p for s, p in zip(noisy(sigma=SIGMA * (1 - shared) ** 0.5, seed=seed), pattern, strict=True)]
        for seed in (1, 2)
    ]
    found = make.find("independent", "pairs", *shots)
    assert found.verdict == verdict
    assert found.figure == pytest.approx(shared, abs=0.06)


@pytest.mark.parametrize(("side", "verdict"), [(12, "refuse"), (24, "warning"), (40, "fine")])
def test_small_pictures(make: Make, side: int, verdict: str) -> None:
    shots = [[s[:, :side, :50] for s in noisy(seed=seed)] for seed in (1, 2)]
    found = make.find("shape", "pairs", *shots)
    assert (found.verdict, found.figure) == (verdict, side)


def test_values_of_a_wrong_scale(make: Make) -> None:
    found = make.find("range", "pairs", *([p / 16 for p in noisy(seed=seed)] for seed in (1, 2)))
    assert found.verdict == "warning"
    assert "4095" in found.advice


def result(verdict: Any) -> Check:
    return Check(verdict, verdict, 0.0, "", "", "")


def test_force_overrides_warnings_alone() -> None:
    fine, warning, refuse = map(result, ("fine", "warning", "refuse"))
    report = CheckReport("", 1, (fine, warning, refuse), b"")
    assert report.blocks() == [warning, refuse]
    assert report.blocks(force=True) == [refuse]
    assert report.verdict == "refuse"
    assert CheckReport("", 1, (fine, warning), b"").blocks(force=True) == []


def test_a_report_is_json_with_a_picture(make: Make) -> None:
    dataset = make("pairs", noisy(), noisy(seed=2))
    report = check_dataset(dataset)
    read = json.loads(json.dumps(report.to_dict()))
    assert (read["verdict"], read["scenes"], read["fingerprint"]) == ("fine", 4, dataset.fingerprint)
    assert {"name", "verdict", "figure", "unit", "message", "advice"} == set(read["checks"][0])
    assert opened(report.picture).size == (3 * 132 - 4, 4 * 132 - 4)
    assert read["cells"][5] == {
        "scene": 1, "shown": "difference", "x": 264, "y": 132, "width": 128, "height": 128,
    }  # fmt: skip
    assert CheckReport.from_dict(read, report.picture) == report
    single = check_dataset(make("single", noisy()))
    assert opened(single.picture).size == (3 * 132 - 4, 2 * 132 - 4)
    assert [(cell.scene, cell.shown, cell.x, cell.y) for cell in single.cells] == [
        (0, "first", 0, 0), (1, "first", 132, 0), (2, "first", 264, 0), (3, "first", 0, 132),
    ]  # fmt: skip


def test_a_report_of_an_older_version_has_no_cells(make: Make) -> None:
    values = check_dataset(make("single", noisy())).to_dict()
    del values["cells"]
    assert CheckReport.from_dict(values).cells == ()


def test_the_picture_s_third_column_is_the_difference(make: Make) -> None:
    first, second = noisy(), [s + 0.3 for s in noisy()]
    pixels = np.asarray(opened(check_dataset(make("pairs", first, second)).picture)).astype(float)
    assert pixels[:128, 264:].max() == 0, "a constant difference is far beyond its deviation of 0"
    good = np.asarray(opened(check_dataset(make("pairs", first, noisy(seed=2))).picture)).astype(float)
    assert good[:128, 264:].mean() == pytest.approx(127.5, abs=2)
    assert good[:128, 264:].std() == pytest.approx(127.5 / 3, rel=0.1)


def test_the_same_seed_looks_at_the_same_scenes(make: Make) -> None:
    dataset = make("pairs", noisy(SCENES * 3), noisy(SCENES * 3, seed=2))
    first, again, other = (check_dataset(dataset, 2, seed) for seed in (0, 0, 1))
    assert first == again
    assert first.checks != other.checks
    assert first.scenes == 2
