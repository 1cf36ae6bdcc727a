"""Studies are conducted run by run, and continue where they were stopped."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from n2n_core.course.studies import StudyProgress, conduct
from n2n_core.course.studies.results import FILE, Record, read
from n2n_core.course.studies.trainer import run_folder
from n2n_core.errors import ConfigError, DataError
from n2n_core.models import weights
from n2n_core.training import loop
from tests.core.course.studies.small import RUNS, SCALE, STUDY, conducted, data


def stop_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(10**6))
    return lambda: next(asked) >= steps


def figures(records: list[Record]) -> list[tuple[Any, ...]]:
    by_epoch = [[point["psnr"] for point in record["history"]] for record in records]
    return [(r["run"], r["seed"], r["psnr"], epochs) for r, epochs in zip(records, by_epoch, strict=True)]


def test_every_run_has_a_result_with_all_that_it_depends_on(tmp_path: Path) -> None:
    assert conducted(tmp_path)
    records = read(tmp_path)
    assert [(r["run"], r["seed"]) for r in records] == [
        ("first", 0),
        ("second", 0),
        ("second", 1),
        ("clean", 0),
    ]
    assert [r["pairs"] for r in records] == [20, 10, 10, 20]
    for record in records:
        assert record["scale"] == SCALE
        assert record["config"]["seed"] == record["seed"]
        assert record["versions"].keys() == {"n2n", "torch", "python"}
        assert record["machine"]["device"] == "cpu"
        assert record["machine"]["threads"] >= 1
        assert record["seconds"] > 0
        assert [point["epoch"] for point in record["history"]] == [1, 2]
        assert record["history"][-1]["psnr"] == record["psnr"] != record["psnr_pooled"]
    assert "ensemble_psnr" in records[0]
    assert "ensemble_psnr" not in records[1]
    assert records[1]["psnr"] != records[2]["psnr"]
    assert records[0]["psnr"] != records[3]["psnr"]  # clean targets


@pytest.mark.parametrize("steps", [0, 2, 6, 9])
def test_a_study_that_was_stopped_goes_on_and_ends_the_same(steps: int, tmp_path: Path) -> None:
    conducted(tmp_path / "whole")
    assert not conducted(tmp_path / "parts", should_stop=stop_after(steps))
    kept = (tmp_path / "parts" / FILE).read_text() if (tmp_path / "parts" / FILE).exists() else ""
    assert conducted(tmp_path / "parts")
    assert (tmp_path / "parts" / FILE).read_text().startswith(kept)
    assert figures(read(tmp_path / "whole")) == figures(read(tmp_path / "parts"))


def test_what_has_a_result_is_not_done_again(tmp_path: Path) -> None:
    conducted(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    told: list[StudyProgress] = []
    assert conducted(tmp_path, on_progress=told.append)
    assert (tmp_path / FILE).read_bytes() == before
    assert told == []
    assert conducted(tmp_path, repeats=3)
    assert len(read(tmp_path)) == 9


def test_networks_on_torch_are_trained_in_the_precision_that_is_asked_for(tmp_path: Path) -> None:
    conducted(tmp_path, precision="bfloat16", repeats=1)
    precisions = {record["run"]: record["config"]["precision"] for record in read(tmp_path)}
    assert precisions == {"first": "bfloat16", "second": "float32", "clean": "bfloat16"}
    with pytest.raises(ConfigError, match="contains results with precision 'bfloat16', expected 'float32'"):
        conducted(tmp_path)


def test_a_complete_run_keeps_its_model_and_no_checkpoint(tmp_path: Path) -> None:
    conducted(tmp_path)
    home = run_folder(tmp_path, RUNS[1], 1)
    assert not (home / loop.CHECKPOINT).exists()
    assert weights.read(home / loop.MODEL)[1].data == {"photos": 3}


def test_progress_grows_to_the_end_and_tells_the_time_left(tmp_path: Path) -> None:
    told: list[StudyProgress] = []
    conducted(tmp_path, on_progress=told.append)
    shares = [progress.share for progress in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert told[-1].left == pytest.approx(0.0, abs=1e-6)
    ended = [(progress.run, progress.label) for progress in told if progress.psnr is not None]
    assert ended == [(1, "first"), (2, "second"), (3, "second"), (4, "clean")]
    assert {progress.runs for progress in told} == {4}


def test_runs_on_clean_targets_need_them(tmp_path: Path) -> None:
    assert conduct(STUDY, data(clean=False), tmp_path, scale=SCALE, device="cpu")
    assert {record["run"] for record in read(tmp_path)} == {"first", "second"}


def test_results_of_another_kind_are_not_mixed(tmp_path: Path) -> None:
    conducted(tmp_path)
    with pytest.raises(
        ConfigError, match=r"contains results with scale 0.0004, expected 0.0002; choose another folder"
    ):
        conducted(tmp_path, scale=0.0002)
    with pytest.raises(ConfigError, match="with study 'a small study', expected 'another'"):
        conducted(tmp_path, study=replace(STUDY, title="another"))
    with pytest.raises(ConfigError, match="contains results with data"):
        conduct(STUDY, data(21), tmp_path, scale=SCALE)


def test_a_scale_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for scale in (0.0, 1.5, -1.0, float("nan")):
        with pytest.raises(ConfigError, match=f"scale is {scale}, expected a number above 0 and at most 1"):
            conducted(tmp_path / "run", scale=scale)
    with pytest.raises(ConfigError, match="repeats is 0, expected at least 1"):
        conducted(tmp_path / "run", repeats=0)
    with pytest.raises(ConfigError, match="jobs is 0, expected at least 1"):
        conducted(tmp_path / "run", jobs=0)
    with pytest.raises(
        DataError, match=r"has 20 training pairs, expected 50 at scale 0.001: use a scale of 0.0004 or less"
    ):
        conducted(tmp_path / "run", scale=0.001)
    assert not (tmp_path / "run").exists()
