"""The data folder: a folder for each job and dataset, and the models' files by their hash.

    n2n.db                     the database, unless another is named
    jobs/ID/                   log.jsonl, checkpoint.pt, model.safetensors, log.txt, lock
    datasets/ID/
    models/SHA256.safetensors

A trainer holds the lock of its job's folder until its process ends, however that happens. So two trainers
never write to the same folder, and the holder of a lock is alive.
"""

import fcntl
import os
import shutil
import signal
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

TEMPORARY = ".*.tmp"  # what n2n_core.files writes to
DELETING = ".deleting-"
OLD_SECONDS = 60
"""Age in seconds after which an unfinished file counts as abandoned."""

TAIL_BYTES = 4096
LOG, LOCK = "log.txt", "lock"
CHECKPOINT, SAMPLES, GRID = (
    "checkpoint.pt",
    "samples",
    "grid.json",
)  # as in n2n_core.training.loop, which takes seconds to import


class DataFolder:
    """Paths inside the data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.jobs, self.datasets, self.models = (self.root / name for name in ("jobs", "datasets", "models"))

    def make(self) -> None:
        """Make the folders, and remove what interrupted writers left behind."""
        for folder in (self.jobs, self.datasets, self.models):
            folder.mkdir(parents=True, exist_ok=True)
            for deleted in folder.glob(f"{DELETING}*"):
                shutil.rmtree(deleted, ignore_errors=True)
            for temporary in (folder, *folder.iterdir()):
                remove_temporary(temporary, OLD_SECONDS)

    @property
    def keys_required(self) -> Path:
        """Path of the file that says that there once was an API key."""
        return self.root / "keys-required"

    def job(self, job_id: str) -> Path:
        """Return the folder of a job; it may not exist yet."""
        return self.jobs / job_id

    def has_checkpoint(self, job_id: str) -> bool:
        """Return whether the job has a checkpoint, so that it can be resumed."""
        return (self.job(job_id) / CHECKPOINT).exists()

    def dataset(self, dataset_id: str) -> Path:
        """Return the folder of a dataset; it may not exist yet."""
        return self.datasets / dataset_id

    def weights(self, sha256: str) -> Path:
        """Return the path of the weights file with this hash."""
        return self.models / f"{sha256}.safetensors"


def delete_folder(folder: Path) -> None:
    """Delete a folder. It disappears atomically; the next start removes what a crash leaves."""
    doomed = folder.with_name(f"{DELETING}{folder.name}")
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Mark a folder as in use within the block, so that ``remove_temporary`` keeps it."""
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_left(path: Path, age: float = OLD_SECONDS) -> bool:
    """Return whether a temporary file or folder is abandoned: its lock is free, or it has none and is old."""
    if (path / LOCK).exists():
        with (path / LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
    return max(part.stat().st_mtime for part in (path, *path.rglob("*"))) <= time.time() - age


def remove_temporary(folder: Path, age: float = 0) -> None:
    """Remove unfinished files and folders that are not in use and were not written to for ``age`` seconds."""
    for path in folder.glob(TEMPORARY):
        try:
            if not is_left(path, age):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        except FileNotFoundError:  # its writer has moved or removed it
            continue


def log_tail(folder: Path, size: int = TAIL_BYTES) -> str:
    """Return the last ``size`` bytes of a job's log as text."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - size))
            return log.read().decode(errors="replace")
    except OSError:
        return ""


def try_lock(folder: Path) -> TextIO | None:
    """Lock a folder until the file is closed or the process ends; return None if another process has it.

    Only a trainer may call this, and only once: any other caller would be mistaken for the trainer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK).open("a")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows both
        file.close()
        return None
    return file


def lock_holder(folder: Path) -> int | None:
    """Return the process that holds the folder's lock on this host, or None, as the kernel reports it."""
    try:
        with (folder / LOCK).open() as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, _pack_lock())
    except FileNotFoundError:
        return None
    return _holder(answer)


def signal_holder(folder: Path, number: signal.Signals) -> None:
    """Send a signal to the process group that holds the folder's lock on this host."""
    if pid := lock_holder(folder):
        kill_group(pid, number)


def _pack_lock() -> bytes:
    """Return C's ``struct flock`` for a write lock on the whole file."""
    if sys.platform == "darwin":
        return struct.pack("qqihh", 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    return struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def _holder(answer: bytes) -> int | None:
    if sys.platform == "darwin":
        _, _, pid, kind, _ = struct.unpack("qqihh", answer)
    else:
        kind, _, _, _, pid = struct.unpack("hhqqi4x", answer)
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None  # 0: a process of another container


def kill_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a session leader and to all processes that it started."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
