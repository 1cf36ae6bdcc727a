"""The data folder: one folder a job and a dataset, and the models' files by their hash.

    n2n.db                     the database, unless another is named
    jobs/ID/                   log.jsonl, checkpoint.pt, model.safetensors, log.txt, lock
    datasets/ID/
    models/SHA256.safetensors

A trainer holds the lock of its job's folder for as long as it lives, whatever it dies of: so two
never write to one folder, and who holds it is alive.
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
"""A file that nobody has written to for so long has no writer any more."""

TAIL_BYTES = 4096
LOG, LOCK = "log.txt", "lock"
CHECKPOINT, SAMPLES = (
    "checkpoint.pt",
    "samples",
)  # as in n2n_core.training.loop, which takes seconds to import


class DataFolder:
    """Where everything that jobs make is kept."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.jobs, self.datasets, self.models = (self.root / name for name in ("jobs", "datasets", "models"))

    def make(self) -> None:
        """Make the folders, and remove what writers that were interrupted left behind."""
        for folder in (self.jobs, self.datasets, self.models):
            folder.mkdir(parents=True, exist_ok=True)
            for deleted in folder.glob(f"{DELETING}*"):
                shutil.rmtree(deleted, ignore_errors=True)
            for temporary in (folder, *folder.iterdir()):
                remove_temporary(temporary, OLD_SECONDS)

    def job(self, job_id: str) -> Path:
        """The folder of a job, which may not exist yet."""
        return self.jobs / job_id

    def has_checkpoint(self, job_id: str) -> bool:
        """Whether the job can go on from where it was."""
        return (self.job(job_id) / CHECKPOINT).exists()

    def dataset(self, dataset_id: str) -> Path:
        """The folder of a dataset, which may not exist yet."""
        return self.datasets / dataset_id

    def weights(self, sha256: str) -> Path:
        """The file of a model by its hash."""
        return self.models / f"{sha256}.safetensors"


def delete_folder(folder: Path) -> None:
    """Delete a folder: it is gone in one moment, and the next start finishes what a crash leaves."""
    doomed = folder.with_name(f"{DELETING}{folder.name}")
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


@contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Within the block, and while this process lives, the folder is not removed as left behind."""
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def is_left(path: Path, age: float = OLD_SECONDS) -> bool:
    """Whether whoever made a temporary folder is gone; of files, and of others, their age tells."""
    if (path / LOCK).exists():
        with (path / LOCK).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
    return max(part.stat().st_mtime for part in (path, *path.rglob("*"))) <= time.time() - age


def remove_temporary(folder: Path, age: float = 0) -> None:
    """Remove unfinished files, and folders, that nobody uses or has written to for ``age`` seconds."""
    for path in folder.glob(TEMPORARY):
        try:
            if not is_left(path, age):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        except FileNotFoundError:  # its writer was quicker
            continue


def log_tail(folder: Path, size: int = TAIL_BYTES) -> str:
    """The end of a job's log."""
    try:
        with (folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - size))
            return log.read().decode(errors="replace")
    except OSError:
        return ""


def try_lock(folder: Path) -> TextIO | None:
    """The folder's lock, held until it is closed or the process ends; None if another process has it.

    Trainers alone may call this, once: nobody may look like the holder who is none.
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
    """The process that holds the folder's lock, by the kernel's word; None if none does on this host."""
    try:
        with (folder / LOCK).open() as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, _pack_lock())
    except FileNotFoundError:
        return None
    return _holder(answer)


def signal_holder(folder: Path, number: signal.Signals) -> None:
    """Send a signal to the process group of whoever holds the folder's lock on this host."""
    if pid := lock_holder(folder):
        kill_group(pid, number)


def _pack_lock() -> bytes:
    """C's ``struct flock``: may the whole file be locked for writing?"""
    if sys.platform == "darwin":
        return struct.pack("qqihh", 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
    return struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)


def _holder(answer: bytes) -> int | None:
    if sys.platform == "darwin":
        _, _, pid, kind, _ = struct.unpack("qqihh", answer)
    else:
        kind, _, _, _, pid = struct.unpack("hhqqi4x", answer)
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None  # 0: of another container


def kill_group(pid: int, number: signal.Signals) -> None:
    """Signal a process that leads its session, with all that it started."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
