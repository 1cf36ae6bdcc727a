"""``n2n evaluate``, run in this process."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from n2n_core import image
from n2n_core.evaluation import baselines
from n2n_core.models import weights
from n2n_core.noise.estimation import noise_level
from tests.core.cli.test_cli import n2n, refusal
from tests.pictures import opened
from tests.scenes import smooth

Rows = dict[str, list[str]]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """The command sets them, for a process of its own."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def rows(capsys: pytest.CaptureFixture[str]) -> Rows:
    """The table that was printed, by its first column."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {first: others for first, *others in cells}


def save(path: Path, values: np.ndarray) -> None:
    Image.fromarray((values * 255).round().clip(0, 255).astype(np.uint8)).save(path)


def scene(seed: int) -> np.ndarray:
    return smooth(1, 48, 40, seed)[0].permute(1, 2, 0).numpy()


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A folder of three pictures, one of them grey."""
    folder = tmp_path / "clean"
    folder.mkdir()
    for index in range(3):
        save(folder / f"{index}.png", scene(index)[..., 0] if index == 2 else scene(index))
    return folder


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A folder of two pairs by name, with noise of 0.06."""
    folder, rng = tmp_path / "pairs", np.random.default_rng(0)
    folder.mkdir()
    for index in range(2):
        save(folder / f"{index}_mean.png", scene(index))
        save(folder / f"{index}_real.png", scene(index) + rng.normal(0, 0.06, (48, 40, 3)))
    return folder


def test_a_file_of_pairs_gives_both_means_before_and_after(
    course_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert n2n("evaluate", course_data / "val_data.pkl") == 0
    table = rows(capsys)
    assert list(table)[2:] == ["noisy", "scratch", "torch"]
    assert table["scratch"][:2] == ["134,203", "28.0"]
    assert table["torch"][:2] == ["188,403", "188.1"]
    for model in ("scratch", "torch"):
        assert float(table[model][3]) > 2  # dB gained, per image
        assert float(table[model][2]) - float(table["noisy"][2]) == pytest.approx(
            float(table[model][3]), abs=0.011
        )


def test_clean_pictures_models_and_baselines_in_one_run(
    clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet, figures = tmp_path / "out" / "sheet.png", tmp_path / "out" / "figures.json"
    options = ("--noise", "gaussian,sigma=0.1", "--model", "scratch", "--against", "nlm", "all")
    assert n2n("evaluate", clean, *options, "--sheet", sheet, "--json", figures, "--device", "cpu") == 0
    assert torch.get_num_threads() == cv2.getNumThreads() == 2
    table, values = rows(capsys), json.loads(figures.read_text())
    assert list(table)[2:] == ["noisy", "scratch", *baselines.chosen(["nlm", "all"])]
    for name in baselines.chosen(["all"]):
        assert float(table[name][3]) > 4
        assert float(table[name][7]) > 0
    assert (values["device"], values["threads"]) == ("cpu", 2)
    assert values["noise"] == {"name": "gaussian", "sigma": 0.1}
    assert values["pictures"] == [{"name": f"{i}.png", "sigma": 0.1} for i in range(3)]
    assert [method["name"] for method in values["methods"]] == list(table)[2:]
    assert f"{values['methods'][0]['psnr']:.2f}" == table["noisy"][2]
    picture = opened(sheet.read_bytes())
    assert picture.format == "PNG"
    assert picture.width > picture.height


def test_pairs_by_name_have_their_noise_estimated(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    suffixes = ("--noisy-suffix", "_real", "--clean-suffix", "_mean")
    assert n2n("evaluate", pairs, *suffixes, "--model", "scratch", "--against", "tv", "--json", figures) == 0
    assert float(rows(capsys)["tv"][3]) > 4
    found = json.loads(figures.read_text())["pictures"]
    assert [picture["name"] for picture in found] == ["0_real.png", "1_real.png"]
    pixels = image.decode((pairs / "0_real.png").read_bytes()).colour
    assert found[0]["sigma"] == pytest.approx(noise_level(pixels), rel=1e-4)
    assert found[0]["sigma"] == pytest.approx(0.06, rel=0.2)


def test_the_first_pictures_and_a_seed_are_taken(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("evaluate", clean, "--noise", "gaussian,sigma=0.2", "--model", "scratch", "--limit", 2)
    found = []
    for options in ((), ("--seed", 0), ("--seed", 1)):
        assert n2n(*command, *options) == 0
        output = capsys.readouterr().out
        assert output.startswith("2 images with gaussian,sigma=0.2")
        found.append(next(line for line in output.splitlines() if "noisy" in line))
    assert found[0] == found[1] != found[2]


def test_pictures_need_not_be_rounded(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("evaluate", clean, "--noise", "gaussian,sigma=0.5", "--model", "scratch", "--against", "nlm")
    found = []
    for options in ((), ("--no-rounded",)):
        assert n2n(*command, *options) == 0
        found.append(rows(capsys))
    assert found[0]["noisy"] == found[1]["noisy"]  # it is measured as a file would be
    assert found[0]["nlm"][2] != found[1]["nlm"][2]


def test_models_may_be_files(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = weights.find("scratch").path
    assert n2n("evaluate", clean, "--noise", "gaussian", "--limit", 1, "--model", path) == 0
    assert list(rows(capsys))[3] == str(path)


def test_bad_commands_are_one_line(
    clean: Path, pairs: Path, course_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise, file = ("--noise", "gaussian"), course_data / "val_data.pkl"
    known = "known baselines: wavelet, nlm, tv, fast-nlm, bm3d"
    assert known in refusal(capsys, "evaluate", clean, *noise, "--against", "median")
    assert "expected --noise for clean pictures, or" in refusal(capsys, "evaluate", clean)
    assert "or --noisy-suffix and --clean-suffix" in refusal(capsys, "evaluate", pairs, "--noisy-suffix", "x")
    ends = ("--noisy-suffix", "_real", "--clean-suffix", "_mean")
    assert "expected --noise" in refusal(capsys, "evaluate", pairs, *noise, *ends)
    assert "are for a folder" in refusal(capsys, "evaluate", file, *noise)
    assert "are for a folder" in refusal(capsys, "evaluate", file, *ends)
    assert "not a readable file" in refusal(capsys, "evaluate", __file__)
    assert "unknown noise 'snow'" in refusal(capsys, "evaluate", clean, "--noise", "snow")
    assert "limit is 0" in refusal(capsys, "evaluate", clean, *noise, "--limit", 0)
    assert "threads is 0" in refusal(capsys, "evaluate", clean, *noise, "--threads", 0)
    assert "suffix is '.jpg', expected '.png'" in refusal(
        capsys, "evaluate", clean, *noise, "--sheet", tmp_path / "x.jpg"
    )
    for name in ("noisy", "tv"):
        line = refusal(capsys, "evaluate", clean, *noise, "--model", name, "--against", "tv")
        assert f"model is '{name}', expected a name that no other row" in line
    (pairs / "1_mean.png").unlink()
    assert "1_real.png: has no partner, expected 1_mean.png" in refusal(capsys, "evaluate", pairs, *ends)
    (clean / "1.png").write_bytes(b"no picture")
    assert "1.png: not a readable image" in refusal(capsys, "evaluate", clean, *noise)
    (clean.parent / "empty").mkdir()
    assert "contains no picture" in refusal(capsys, "evaluate", clean.parent / "empty", *noise)


def test_what_is_not_installed_is_told(clean: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not baselines.BASELINES["bm3d"].missing():
        pytest.skip("bm3d is installed")
    line = refusal(capsys, "evaluate", clean, "--noise", "gaussian", "--against", "bm3d")
    assert "pip install bm3d" in line
    assert "non-commercial" in line


def test_nothing_is_measured_before_all_models_are_known(
    course_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert n2n("evaluate", course_data / "val_data.pkl", "--model", "torch", "best") == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "unknown model 'best'" in output.err
