"""The data folder: locks that tell who lives, and what crashes leave behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from n2n_core.training import loop
from service.storage import data_folder
from service.storage.data_folder import (
    DataFolder,
    delete_folder,
    lock_holder,
    log_tail,
    signal_holder,
    try_lock,
)
from service.storage.dataset_import import upload_folder

HOLD = """
import sys, time
from pathlib import Path
from service.storage.data_folder import try_lock
lock = try_lock(Path(sys.argv[1]))
print(bool(lock), flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock of ``tmp_path``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout
    assert process.stdout.readline() == b"True\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_one_process_holds_a_lock_for_as_long_as_it_lives(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    assert lock_holder(tmp_path) == holder.pid
    assert try_lock(tmp_path) is None
    holder.kill()
    holder.wait()
    assert lock_holder(tmp_path) is None
    lock = try_lock(tmp_path)
    assert lock
    lock.close()


def test_looking_for_a_holder_makes_none(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_holder_is_signalled_and_nobody_else(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    signal_holder(tmp_path / "other", signal.SIGKILL)
    assert holder.poll() is None
    signal_holder(tmp_path, signal.SIGTERM)
    assert holder.wait() == -signal.SIGTERM
    signal_holder(tmp_path, signal.SIGKILL)


def test_a_start_removes_what_interrupted_writers_left(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.make()
    job = folder.job("x")
    old, new = job / ".0123456789abcdef.tmp", folder.models / ".fedcba9876543210.tmp"
    job.mkdir()
    kept = job / "checkpoint.pt"
    for path in (old, new, kept):
        path.write_text("half")
    os.utime(old, (time.time() - 2 * data_folder.OLD_SECONDS,) * 2)
    os.utime(kept, (time.time() - 2 * data_folder.OLD_SECONDS,) * 2)
    (folder.jobs / ".deleting-y" / "deep").mkdir(parents=True)
    folder.make()
    assert [path.exists() for path in (old, new, kept)] == [False, True, True]
    assert [path.name for path in folder.jobs.iterdir()] == ["x"]


def test_a_folder_is_deleted_whole_and_twice_without_harm(tmp_path: Path) -> None:
    job = tmp_path / "x"
    (job / "samples").mkdir(parents=True)
    (job / "samples" / "1.png").write_text("")
    for _ in range(2):
        delete_folder(job)
    assert list(tmp_path.iterdir()) == []


def test_the_logs_tail_is_short_and_readable_whatever_is_in_it(tmp_path: Path) -> None:
    assert log_tail(tmp_path) == ""
    (tmp_path / data_folder.LOG).write_bytes(b"\xff" * 9000 + "Ende: \u00e4".encode())
    tail = log_tail(tmp_path, size=20)
    assert tail.endswith("Ende: \u00e4")
    assert len(tail) <= 20


def test_the_checkpoint_is_the_cores() -> None:
    names = ("CHECKPOINT", "SAMPLES", "GRID")
    assert [getattr(data_folder, name) for name in names] == [getattr(loop, name) for name in names]


def test_what_was_on_its_way_is_removed_once_nobody_writes_to_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.make()
    dead, alive = (folder.datasets / f".{name}.tmp" for name in ("dead", "alive"))
    for path in (dead, alive):
        (path / "files").mkdir(parents=True)
        (path / "files" / "a.zip").write_bytes(b"half")
    old = time.time() - data_folder.OLD_SECONDS - 1
    for path in (dead / "files" / "a.zip", dead / "files", dead, alive / "files", alive):
        os.utime(path, (old, old))
    folder.make()
    assert not dead.exists()
    assert (alive / "files" / "a.zip").exists()


def test_what_is_on_its_way_is_removed_once_its_process_is_gone(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.make()
    left = folder.datasets / ".left.tmp"
    code = f"""
import os, signal
from pathlib import Path
from service.storage.dataset_import import upload_folder
from service.storage.data_folder import DataFolder
with upload_folder(DataFolder(Path({str(tmp_path)!r}))) as path:
    path.rename({str(left)!r})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with upload_folder(folder) as path:
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
        assert left.exists()
        folder.make()  # of another service, a moment later
        assert not left.exists()
        assert path.exists()
    assert not path.exists()
