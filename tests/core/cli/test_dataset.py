"""``n2n dataset``: import, show, check; bad input is one line and code 2."""

import json
from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pytest

from n2n_core import cli
from n2n_core.cli.recipe import corruption
from n2n_core.datasets.dataset import Dataset
from tests.core.datasets.sources import picture, write_folder
from tests.pictures import opened, photo


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Two folders of 12 noisy pictures."""
    rng = np.random.default_rng(0)
    scenes = [photo().numpy()[:, y : y + 64, 200:264] * 0.8 + 0.1 for y in range(0, 384, 32)]
    files = {}
    for folder in ("noisy1", "noisy2"):
        for i, scene in enumerate(scenes):
            noisy = (scene + rng.normal(0, 0.05, scene.shape)).clip(0, 1)
            files[f"{folder}/{i}.png"] = picture(np.rint(noisy * 255).astype(np.uint8))
    return write_folder(tmp_path / "shots", files)


def n2n(*arguments: object) -> int:
    return cli.main(["dataset", *map(str, arguments)])


def test_pictures_become_a_dataset_that_is_checked(
    shots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, sheet = tmp_path / "data", tmp_path / "sheet.png"
    assert n2n("import", shots, "-o", data, "--kind", "pairs", "--name", "stairs") == 0
    output = capsys.readouterr().out
    assert "stairs: pairs, 12 scenes, 24 pictures of 64 x 64" in output
    assert n2n("show", data, "--verify", "--sheet", sheet) == 0
    assert capsys.readouterr().out == output
    assert opened(sheet.read_bytes()).size == (6 * 132 - 4, 2 * 132 - 4)
    assert n2n("check", data, "--sheet", sheet) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.split()[1] == "fine" for line in lines[:-1])
    assert lines[-1] == "fine, judged by 12 scenes"
    assert opened(sheet.read_bytes()).size[0] == 3 * 132 - 4
    assert n2n("check", data, "--json", "--scenes", 5) == 0
    assert json.loads(capsys.readouterr().out)["scenes"] == 5


def test_a_defect_is_told_with_advice(
    shots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (shots / "noisy1").iterdir():
        (shots / "noisy2" / path.name).write_bytes(path.read_bytes())
    assert n2n("import", shots, "-o", tmp_path / "data", "--kind", "pairs") == 0
    assert n2n("check", tmp_path / "data") == 0
    output = capsys.readouterr().out
    assert "identical   refuse   12 of 12 pairs" in output
    assert "take two different shots of each scene" in output
    assert output.endswith("refuse, judged by 12 scenes\n")


def test_options_reach_the_import(shots: Path, tmp_path: Path) -> None:
    clean = ("--kind", "clean", "--corruption", "gaussian,sigma=0.1")
    assert n2n("import", shots / "noisy1", "-o", tmp_path / "a", *clean) == 0
    assert Dataset.open(tmp_path / "a").corruption == {"name": "gaussian", "sigma": 0.1}
    options = ("--kind", "bursts", "--rule", "noisy{shot}/{scene}", "--data-range", 510)
    assert n2n("import", shots, "-o", tmp_path / "b", *options) == 0
    assert Dataset.open(tmp_path / "b").read(0, 0).max() <= 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gaussian", {"name": "gaussian"}),
        ("gaussian,sigma=0.2", {"name": "gaussian", "sigma": 0.2}),
        ("point-sampling,block=4", {"name": "point-sampling", "block": 4}),
    ],
)
def test_a_corruption_is_a_name_with_values(text: str, expected: object) -> None:
    assert corruption(text) == expected


def test_a_corruption_s_values_are_numbers() -> None:
    with pytest.raises(
        ArgumentTypeError, match=r"'gaussian,sigma=big' .*expected one like gaussian,sigma=0\.1"
    ):
        corruption("gaussian,sigma=big")


def test_bad_input_is_one_line(shots: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases: list[tuple[tuple[object, ...], str]] = [
        (("import", shots, "-o", shots, "--kind", "pairs"), "exists already, expected a new folder"),
        (("import", shots / "noisy1", "-o", tmp_path / "d", "--kind", "pairs"), "0.png: cannot tell"),
        (("import", shots, "-o", tmp_path / "d", "--kind", "clean"), "need a corruption"),
        (("show", shots), "not a dataset"),
        (("check", shots, "--scenes", 0), "scenes is 0"),
    ]
    for arguments, reason in cases:
        assert n2n(*arguments) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert reason in lines[0]
    with pytest.raises(SystemExit, match="2"):
        n2n("import", shots, "-o", tmp_path / "d", "--kind", "triples")
    assert len(capsys.readouterr().err.splitlines()) == 1
