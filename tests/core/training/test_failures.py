"""Runs that cannot continue report why, and leave the last good checkpoint. Real limits, real signals."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from n2n_core.datasets.scenes import TensorScenes
from n2n_core.errors import DivergedError, StorageError
from n2n_core.models import weights
from n2n_core.training import loop
from n2n_core.training.config import TrainConfig
from n2n_core.training.run_folder import checkpoints, event_log
from tests.scenes import noisy, scenes, smooth

CONFIG = TrainConfig(model="scratch", epochs=3, batch_size=4, crop=16)
ROOT = Path(__file__).parents[3]

SCRIPT = """
import resource, sys
from pathlib import Path
import torch
from n2n_core.errors import N2NError
from n2n_core.training.config import TrainConfig
from n2n_core.training.loop import fit
from tests.scenes import scenes
{limit}
try:
    fit(TrainConfig(**{config}), scenes("pairs", {count}, {side}, {side}), None, Path({folder!r}),
        resume={resume}, device="cpu", checkpoint_seconds={every})
except N2NError as error:
    sys.exit(f"{{type(error).__name__}}: {{error}}")
"""


def start(
    config: TrainConfig,
    folder: Path,
    limit: str = "",
    *,
    resume: bool = False,
    every: float = 0.0,
    count: int = 40,
    side: int = 16,
) -> subprocess.Popen[str]:
    """A run in a process of its own."""
    script = SCRIPT.format(
        limit=limit,
        config=config.model_dump(),
        count=count,
        side=side,
        folder=str(folder),
        resume=resume,
        every=every,
    )
    return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True)


def message(process: subprocess.Popen[str]) -> str:
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    return err.strip()


def stop_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


def same_weights(first: Path, second: Path) -> bool:
    a, b = (weights.read(folder / loop.MODEL)[0] for folder in (first, second))
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


@pytest.mark.slow
def test_a_run_killed_in_the_middle_of_anything_resumes_to_the_bit(tmp_path: Path) -> None:
    data, config = scenes("pairs", 40), CONFIG.model_copy(update={"epochs": 8})
    loop.fit(config, data, None, tmp_path / "whole")
    run = tmp_path / "killed"
    for kill in range(3):
        resume = (run / loop.CHECKPOINT).exists()
        process = start(config, run, resume=resume)
        seen = len(event_log.read(run))
        deadline = time.monotonic() + 60
        while len(event_log.read(run)) < seen + 6 + kill and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert loop.fit(config, data, None, run, resume=True)
    assert same_weights(tmp_path / "whole", run)


def test_a_full_disk_is_one_clear_error_and_the_checkpoint_stays(tmp_path: Path) -> None:
    data = scenes("pairs", 40)
    loop.fit(CONFIG, data, None, tmp_path / "whole")
    run = tmp_path / "full"
    assert not loop.fit(CONFIG, data, None, run, should_stop=stop_after(5))
    before = (run / loop.CHECKPOINT).read_bytes()
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) // 2}, {len(before) // 2}))"
    said = message(start(CONFIG, run, limit, resume=True))
    assert said == f"StorageError: {run / loop.CHECKPOINT}: cannot be written (File too large)"
    assert (run / loop.CHECKPOINT).read_bytes() == before
    assert not list(run.glob(".*"))  # nothing half-written stays
    assert loop.fit(CONFIG, data, None, run, resume=True)
    assert same_weights(tmp_path / "whole", run)


@pytest.mark.parametrize("name", [loop.MODEL, loop.BEST, loop.SAMPLES, loop.LOG])
def test_every_file_that_cannot_be_written_is_named(name: str, tmp_path: Path) -> None:
    if name == loop.SAMPLES:
        (tmp_path / name).write_text("not a folder")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(StorageError, match=rf"{name}.*: cannot be written \("):
        loop.fit(CONFIG, scenes("pairs"), None, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/run: cannot be written \(Not a directory\)"):
        loop.fit(CONFIG, scenes("pairs"), None, tmp_path / "file" / "run")


@pytest.mark.slow
def test_too_little_memory_is_one_clear_error(tmp_path: Path) -> None:
    config = CONFIG.model_copy(
        update={"model": "torch", "batch_size": 64, "crop": 256, "crops_per_epoch": 64}
    )
    limit = """
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 2**30, size + 2**30))
"""
    said = message(start(config, tmp_path, limit, count=4, side=256))
    expected = "batch_size is 64 and crop 256, try a smaller value"
    assert said == f"OutOfMemoryError: out of memory at step 0: {expected}"


class Spoilt(TensorScenes):
    """One of its pixels is ``value`` once it was read ``good`` times."""

    good, value = 0, torch.nan

    def read(self, scene: int, shot: int, rows: slice, columns: slice) -> Tensor:
        self.good -= 1
        picture = super().read(scene, shot, rows, columns)
        return picture if self.good >= 0 else picture.masked_fill(picture == picture.max(), self.value)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_data_that_is_not_finite_ends_a_run_before_a_bad_checkpoint(value: float, tmp_path: Path) -> None:
    data = Spoilt("bursts", *noisy(smooth(20, 32, 32), 2))  # kind bursts: pictures are read one by one
    data.good, data.value = 2 * 4 * 18, value  # two shots, four pictures: so many steps
    with pytest.raises(DivergedError, match="the loss is not a number at step 1"):
        loop.fit(
            CONFIG.model_copy(update={"crops_per_epoch": 40}), data, None, tmp_path, checkpoint_seconds=0
        )
    state = checkpoints.load(tmp_path)
    assert (state["epoch"], state["batch"]) in [(1, 5), (1, 6), (1, 7)]
    for name in (loop.MODEL, loop.BEST):
        assert all(tensor.isfinite().all() for tensor in weights.read(tmp_path / name)[0].values())


def test_a_step_that_spoils_the_weights_is_noticed_before_they_are_kept(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"optimizer": "sgd", "lr": 1e38, "schedule": "constant", "swap": False})
    bright = smooth(20), smooth(20) * 1e15  # the loss is finite, the step that follows is not
    with pytest.raises(DivergedError, match=r"at step 1: lr is 1e\+38, try a smaller value"):
        loop.fit(config, TensorScenes("pairs", *bright), None, tmp_path, checkpoint_seconds=0)
    assert [event["event"] for event in event_log.read(tmp_path)] == ["start", "step"]
    for name in (loop.CHECKPOINT, loop.MODEL, loop.BEST):
        assert not (tmp_path / name).exists()
