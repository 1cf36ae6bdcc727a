"""The installed ``n2n`` command, as its own process."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from n2n_core.datasets.pairs import Pairs, save_pairs
from n2n_core.models import weights
from n2n_core.training import loop
from tests.pictures import course_pairs

N2N = Path(sys.executable).with_name("n2n")


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [N2N, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def course_data(tmp_path: Path) -> Path:
    pairs = course_pairs(200)
    save_pairs(tmp_path / "train_data.pkl", Pairs(pairs.input, pairs.input.flip(3)))
    save_pairs(tmp_path / "val_data.pkl", pairs.take(8))
    return tmp_path


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_goes_on(course_data: Path) -> None:
    run = course_data / "run"
    command = ("train", course_data, "-o", run, "--model", "scratch", "--batch-size", 4, "--epochs", 8)
    process = start(*command)
    deadline = time.monotonic() + 60
    while not (run / loop.LOG).exists() or '"step", ' not in (run / loop.LOG).read_text():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == f"stopped; continue with --resume, or use {run / loop.MODEL}\n"
    assert 0 < weights.read(run / loop.MODEL)[1].recipe["steps"] < 400
    again = start(*command, "--resume")
    out, err = again.communicate(timeout=120)
    assert (again.returncode, err) == (0, f"complete: {run / loop.MODEL}\n")
    assert "epoch 8: PSNR" in out
    events = [json.loads(line) for line in (run / loop.LOG).read_text().splitlines()]
    assert [event["event"] for event in events if event["event"] in ("start", "stopped", "end")] == [
        "start", "stopped", "start", "end",
    ]  # fmt: skip


@pytest.mark.slow
def test_help_lists_every_command() -> None:
    out, _ = start("--help").communicate(timeout=60)
    for name in ("serve", "denoise", "data", "train", "evaluate", "models", "publish", "jobs"):
        assert f"\n    {name} " in out


@pytest.mark.slow
def test_nothing_to_do_is_refused_in_a_line() -> None:
    process = start()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(err.splitlines()) == 1
    assert "COMMAND" in err
