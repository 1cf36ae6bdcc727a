"""Results that are stored for each run, and the rows made from them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from n2n_core.course.studies import STUDIES
from n2n_core.course.studies.results import FILE, append, history, machine, read, rows
from n2n_core.training.run_folder.event_log import Event
from tests.core.course.studies.small import STUDY, record


def event(kind: str, step: int, epoch: int, **values: Any) -> Event:
    return {"event": kind, "step": step, "epoch": epoch, **values}


def test_an_epochs_loss_is_the_mean_over_its_steps_each_counted_once() -> None:
    psnr = {"psnr": 20.0, "psnr_pooled": 19.0}
    log = [
        event("step", 1, 0, loss=4.0),
        event("step", 3, 0, loss=9.0),  # done again after a crash
        event("step", 3, 0, loss=1.0),
        event("epoch", 3, 1, **psnr),
        event("step", 6, 1, loss=0.5),
        event("epoch", 6, 2, **psnr),
    ]
    assert history(log) == [{"epoch": 1, "loss": 2.0, **psnr}, {"epoch": 2, "loss": 0.5, **psnr}]


def test_a_result_that_was_cut_off_is_not_one(tmp_path: Path) -> None:
    append(tmp_path, record("first", 22.0))
    with (tmp_path / FILE).open("a") as file:
        file.write('{"run": "sec')
    assert [found["run"] for found in read(tmp_path)] == ["first"]
    append(tmp_path, record("second", 23.0))
    assert [found["run"] for found in read(tmp_path)] == ["first", "second"]


def test_rows_are_runs_in_the_studys_order_and_ensembles_follow_theirs() -> None:
    records = [record("second", 23.0), record("second", 24.0, seed=1), record("first", 22.0)]
    first, ensemble, second = rows(STUDY, records)
    assert (first.label, first.psnr, first.report, first.x) == ("first", (22.0,), 24.5, 1)
    assert (ensemble.label, ensemble.psnr) == ("first, 8-fold self-ensemble", (22.25,))
    assert (second.psnr, second.pooled, second.mean) == ((23.0, 24.0), (22.0, 23.0), 23.5)
    assert (second.seconds, second.series, second.noisy) == (11.0, "others", 21.0)
    assert rows(STUDY, []) == []


def test_rows_of_epochs_have_the_reports_figures_beside_them() -> None:
    study = STUDIES["epochs"]
    found = rows(study, [record(study.runs[0].label, 25.0, epochs=15)])
    assert [row.x for row in found] == list(range(1, 16))
    assert {row.x: row.report for row in found if row.report} == {1: 24.95, 10: 25.31}
    assert found[-1].psnr == (25.0,)


def test_an_infinite_psnr_has_come_through_json() -> None:
    (row,) = rows(replace(STUDY, runs=STUDY.runs[1:2]), [record("second", 23.0) | {"psnr": None}])
    assert row.mean == float("inf")


def test_the_machine_is_named() -> None:
    found = machine(torch.device("cpu"))
    assert found["device"] == "cpu"
    assert found["name"].strip()
    assert found["threads"] == torch.get_num_threads()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_named() -> None:
    assert machine(torch.device("cuda"))["name"] == torch.cuda.get_device_name()
