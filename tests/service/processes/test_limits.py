"""Limits of a trainer, measured on real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.processes import limits

POLITE = {**os.environ, limits.IMPOLITE: ""}
REPORT = """
import json, os, threading
from service.processes import limits
before, seen = os.getpriority(os.PRIO_PROCESS, 0), []
go = threading.Event()
early = threading.Thread(target=lambda: (go.wait(), seen.append(os.getpriority(os.PRIO_PROCESS, 0))))
early.start()
limits.limit_memory(400 * 2**20)
limits.lower_priority()
go.set()
early.join()
try:
    bytearray(500 * 2**20)
    refused = False
except MemoryError:
    refused = True
late = threading.Thread(target=lambda: seen.append(os.getpriority(os.PRIO_PROCESS, 0)))
late.start()
late.join()
print(json.dumps({"before": before, "after": os.getpriority(os.PRIO_PROCESS, 0), "threads": seen,
                  "policy": os.sched_getscheduler(0), "refused": refused}))
"""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    command = [sys.executable, "-c", REPORT]
    done = subprocess.run(  # in a session of its own, whose share of the cores sinks with it
        command, env=POLITE, capture_output=True, check=True, start_new_session=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_memory_beyond_the_limit_is_refused(report: dict[str, Any]) -> None:
    assert report["refused"]


def test_training_yields_and_the_heartbeat_that_began_before_does_not(report: dict[str, Any]) -> None:
    low = min(19, report["before"] + limits.NICE)
    assert report["after"] == low
    assert report["threads"] == [report["before"], low]
    assert (
        report["policy"] == os.SCHED_OTHER
    )  # one that may starve could hold Python's lock, which the heartbeat needs


def test_defaults_are_half_of_the_machine() -> None:
    assert 1 <= limits.default_threads() <= max(1, limits.cores() / 2)
    assert limits.default_memory() > 2**28


CONTENDED = """
import os, subprocess, sys, time
from service.processes.limits import Throttle
core = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {core})
spinning = [sys.executable, "-c", "print(flush=True)\\nwhile True: pass"]
rival = subprocess.Popen(spinning, stdout=subprocess.PIPE)
rival.stdout.readline()
throttle, began = Throttle(), time.monotonic()
while time.monotonic() < began + 0.2:
    pass
began = time.monotonic()
throttle.pause()
print(time.monotonic() - began)
rival.kill()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how long a thread waits")
def test_a_trainer_that_others_keep_waiting_pauses() -> None:
    command = [sys.executable, "-c", CONTENDED]
    done = subprocess.run(command, env=POLITE, capture_output=True, text=True, check=True)
    assert limits.PAUSE * 0.2 <= float(done.stdout) <= limits.LONGEST_PAUSE + 1


def test_where_the_system_does_not_tell_nobody_pauses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(limits.IMPOLITE, raising=False)
    monkeypatch.setattr(limits, "_SCHEDSTAT", tmp_path / "none")
    monkeypatch.setattr(limits, "sleep", lambda seconds: pytest.fail("paused"))
    throttle = limits.Throttle()
    throttle.pause()
    throttle.pause()
