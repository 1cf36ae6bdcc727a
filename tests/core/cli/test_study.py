"""``n2n study``."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data as photos

from n2n_core.cli.study import _data, _minutes
from tests.core.cli.test_cli import n2n, refusal

SCALE = 0.0004


@pytest.mark.slow
def test_a_study_prints_its_table_and_writes_its_files(
    course_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = course_data / "final"
    assert (
        n2n("study", "final", course_data, "-o", out, "--scale", SCALE, "--repeats", 2, "--threads", 1) == 0
    )
    printed = capsys.readouterr()
    assert printed.out == (out / "table.md").read_text() + "\n"
    assert "| table 3 | 188,403 | 25.32 |" in printed.out
    assert "**Scale 0.0004**" in printed.out
    first, second = printed.err.splitlines()
    assert first.startswith("run 1 of 2, table 3: ")
    assert "dB per image" in first
    assert second.startswith("run 2 of 2, table 3: ")
    assert {path.name for path in out.iterdir()} == {
        "plot.png",
        "plot.svg",
        "results.jsonl",
        "runs",
        "table.md",
    }


def test_photos_are_made_into_data_with_clean_targets_once(tmp_path: Path) -> None:
    shots, out = tmp_path / "photos", tmp_path / "out"
    shots.mkdir()
    for name in ("astronaut", "coffee"):
        Image.fromarray(getattr(photos, name)()).save(shots / f"{name}.png")
    found = _data(shots, out, 20)
    assert len(found.train.input) == 20
    assert found.card["photos_held_out"] == 1
    assert found.clean is not None
    assert found.clean.input.equal(found.train.input)
    assert not found.clean.target.equal(found.train.target)
    before = (out / "data" / "train_data.pkl").stat().st_mtime_ns
    assert _data(shots, out, 20).train.input.equal(found.train.input)
    assert (out / "data" / "train_data.pkl").stat().st_mtime_ns == before


def test_bad_study_commands_are_one_line(course_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = course_data / "out"
    assert "invalid choice: 'width' (choose from" in refusal(capsys, "study", "width", course_data, "-o", out)
    assert "expected 50000 at scale 1" in refusal(capsys, "study", "final", course_data, "-o", out)
    assert "scale is 7.0" in refusal(capsys, "study", "final", course_data, "-o", out, "--scale", 7)
    assert "scale is nan" in refusal(
        capsys, "study", "final", course_data / "photos", "-o", out, "--scale", "nan"
    )
    assert "jobs is 0" in refusal(capsys, "study", "final", course_data, "-o", out, "--jobs", 0)
    assert "nowhere" in refusal(capsys, "study", "final", course_data / "nowhere", "-o", out)
    assert not out.exists()


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(course_data: Path) -> None:
    out = course_data / "out"
    command = [
        sys.executable, "-m", "n2n_core.cli", "study", "scratch", str(course_data), "-o", str(out),
        "--scale", str(SCALE), "--threads", "1",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()  # of the first run
    assert line.startswith("run 1 of 2, the right gradient: "), line
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "stopped; run the same command again to continue" in said
    assert "| the right gradient |" in printed
    assert "Not run: the report's bug planted." in printed
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "run 1 of 2" not in again.stderr
    assert "| the report's bug planted |" in again.stdout


def test_minutes_are_told_as_people_do() -> None:
    assert [_minutes(seconds) for seconds in (0.2, 61, 3599, 3600)] == [
        "0:00 min",
        "1:01 min",
        "59:59 min",
        "1:00 h",
    ]
