"""Parallel runs give the same results as sequential ones."""

import os
from dataclasses import replace
from multiprocessing import parent_process
from pathlib import Path

import pytest
from torch import Generator

from n2n_core.course.studies import StudyProgress
from n2n_core.course.studies.results import read
from n2n_core.errors import N2NError
from n2n_core.models.architectures import StridedAutoEncoder
from n2n_core.models.torch_modules import Network
from tests.core.course.studies.small import RUNS, STUDY, conducted


def figures(folder: Path) -> dict[tuple[str, int], float]:
    return {(record["run"], record["seed"]): record["psnr"] for record in read(folder)}


@pytest.mark.slow
def test_results_are_those_of_runs_in_turn(tmp_path: Path) -> None:
    told: list[StudyProgress] = []
    assert conducted(tmp_path / "both", jobs=2, on_progress=told.append)
    assert conducted(tmp_path / "one")
    assert figures(tmp_path / "both") == figures(tmp_path / "one")
    assert [progress.run for progress in told] == [1, 2, 3, 4]
    assert told[-1].share == pytest.approx(1.0)


@pytest.mark.slow
def test_a_stop_saves_what_is_under_way(tmp_path: Path) -> None:
    asked = iter(range(10**6))
    assert not conducted(tmp_path, jobs=2, should_stop=lambda: next(asked) >= 0)
    assert len(read(tmp_path)) < 4
    assert conducted(tmp_path)
    assert len(read(tmp_path)) == 4


@pytest.mark.slow
def test_an_error_of_a_run_is_the_studys(tmp_path: Path) -> None:
    wrong = replace(RUNS[1], config=RUNS[1].config.model_copy(update={"loss": "l1"}))
    with pytest.raises(N2NError, match="loss is 'l1', expected 'mse' for a scratch network"):
        conducted(tmp_path, study=replace(STUDY, runs=(RUNS[0], wrong)), jobs=2)


class Dying(StridedAutoEncoder):
    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        if parent_process() is not None:
            os._exit(1)
        return super().build(generator, engine)


@pytest.mark.slow
def test_a_process_that_dies_is_an_error_in_a_line(tmp_path: Path) -> None:
    dying = replace(RUNS[1], architecture=Dying(hidden=4))
    with pytest.raises(N2NError, match="a run's process died"):
        conducted(tmp_path, study=replace(STUDY, runs=(dying,)), jobs=2)
