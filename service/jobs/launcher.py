"""The interface through which trainers are started, and its implementation with processes."""

import os
import signal
from pathlib import Path
from subprocess import STDOUT, Popen
from typing import Protocol

from service.processes import child
from service.processes.starvation import is_starved
from service.settings.jobs import PREFIX, JobSettings
from service.storage.data_folder import LOG, DataFolder, kill_group, lock_holder, signal_holder

TRAINER = "service.jobs.trainer"


class Handle(Protocol):
    """A trainer that was started."""

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs, or if that is unknown."""

    def is_starved(self) -> bool:
        """Return whether it is alive but gets no core, so it cannot send heartbeats. False if unknown."""

    def stop(self, *, force: bool = False) -> None:
        """Ask it to write a checkpoint and end. With ``force``, kill it and all that it started."""


class Launcher(Protocol):
    """Starts trainers somewhere. Whatever it says of them, the lease decides who holds a job."""

    def launch(self, job_id: str, fence: int) -> Handle:
        """Start a trainer."""

    def adopt(self, job_id: str) -> Handle:
        """Return the trainer of a job that another supervisor started."""


class ProcessLauncher:
    """Trainers as processes on this host. Each leads its own session and outlives the service."""

    def __init__(self, settings: JobSettings) -> None:
        self.folder = DataFolder(settings.data)
        own = settings.model_copy(update={"data": self.folder.root, "database": settings.database_url})
        values = own.model_dump(mode="json")
        self.environment = os.environ | {
            PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None
        }

    def launch(self, job_id: str, fence: int) -> Handle:
        """Start ``service.jobs.trainer``. Its output is appended to the job's log."""
        folder = self.folder.job(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("ab") as log:
            started = child.start(TRAINER, job_id, fence, stdout=log, stderr=STDOUT, env=self.environment)
        return _OwnTrainer(started)

    def adopt(self, job_id: str) -> Handle:
        """Return the trainer that holds the lock of the job's folder."""
        return _AdoptedTrainer(self.folder.job(job_id))


class _OwnTrainer:
    def __init__(self, process: Popen[bytes]) -> None:
        self.process = process

    def poll(self) -> int | None:
        return self.process.poll()

    def is_starved(self) -> bool:
        return self.poll() is None and is_starved(self.process.pid)

    def stop(self, *, force: bool = False) -> None:
        if self.poll() is None:  # else its process id may be another one's by now
            kill_group(self.process.pid, signal.SIGKILL if force else signal.SIGTERM)


class _AdoptedTrainer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def poll(self) -> int | None:
        return None  # not our child: its lease tells when it is gone

    def is_starved(self) -> bool:
        holder = lock_holder(self.folder)
        return holder is not None and is_starved(holder)

    def stop(self, *, force: bool = False) -> None:
        signal_holder(self.folder, signal.SIGKILL if force else signal.SIGTERM)
