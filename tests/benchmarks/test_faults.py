"""Fault runs, each a few times, on the real service."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.faults import __main__ as command
from benchmarks.faults.tally import Tally
from benchmarks.serving.table import Table

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and mounts disks")


def test_a_broken_promise_is_counted_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally("kill")
    tally.check("folders", True, "")
    tally.check("folders", False, "one has no row")
    command.show(tally, Table({"fault": 6, "what": 8, "times": 6, "lost": 5}, left=2))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "kill   folders       2     1",
        "LOST: folders: one has no row",
    ]
    command.write([tally], tmp_path / "told.json")
    told = json.loads((tmp_path / "told.json").read_text())[0]
    assert (told["tried"], told["lost"]) == ({"folders": 2}, ["folders: one has no row"])


@pytest.mark.slow
@linux
@pytest.mark.parametrize("name", command.RUNS)
def test_nothing_is_lost(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(["--only", name, "--times", "2"])
    assert status == 0, capsys.readouterr().out
