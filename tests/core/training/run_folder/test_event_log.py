"""The log of a run."""

from itertools import pairwise
from pathlib import Path

import pytest

from n2n_core.errors import StorageError
from n2n_core.training.run_folder import event_log
from n2n_core.training.run_folder.event_log import Event, EventLog


def test_events_come_back_and_the_caller_sees_the_same(tmp_path: Path) -> None:
    seen: list[Event] = []
    log = EventLog(tmp_path, seen.append)
    log.emit("start", step=0)
    log.emit("end", step=7, psnr=None)
    assert event_log.read(tmp_path) == seen
    assert [event["event"] for event in seen] == ["start", "end"]
    assert seen[1]["time"] >= seen[0]["time"] > 1e9


def test_a_line_cut_short_is_passed_over_and_mended(tmp_path: Path) -> None:
    EventLog(tmp_path, lambda event: None).emit("start", step=0)
    with (tmp_path / event_log.LOG).open("a") as log:
        log.write('{"event": "st')
    assert [event["event"] for event in event_log.read(tmp_path)] == ["start"]
    EventLog(tmp_path, lambda event: None).emit("step", step=1)
    assert [event["event"] for event in event_log.read(tmp_path)] == ["start", "step"]


def test_of_many_events_of_a_kind_evenly_spaced_ones_are_returned(tmp_path: Path) -> None:
    log = EventLog(tmp_path, lambda event: None)
    log.emit("start", step=0)
    for step in range(1, 1001):
        log.emit("step", step=step)
        if step % 100 == 0:
            log.emit("epoch", step=step)
    log.emit("end", step=1000)
    found = event_log.read(tmp_path, most=20)
    assert [event["time"] for event in found] == sorted(event["time"] for event in found)
    steps = [event["step"] for event in found if event["event"] == "step"]
    assert 10 < len(steps) <= 21
    assert (steps[0], steps[-1]) == (1, 1000)
    assert {later - step for step, later in pairwise(steps[:-1])} == {64}
    rest = [(event["event"], event["step"]) for event in found if event["event"] != "step"]
    assert rest == [("start", 0), *(("epoch", step) for step in range(100, 1001, 100)), ("end", 1000)]


def test_no_log_has_no_events(tmp_path: Path) -> None:
    assert event_log.read(tmp_path) == []


def test_a_log_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    seen: list[Event] = []
    (tmp_path / event_log.LOG).mkdir()
    with pytest.raises(StorageError, match=r"log\.jsonl: cannot be written \(Is a directory\)"):
        EventLog(tmp_path, seen.append).emit("start")
    assert seen == []
