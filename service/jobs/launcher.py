"""The port through which trainers are started, and its one implementation: child processes."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from service.processes.starvation import is_starved
from service.settings.jobs import PREFIX, JobSettings
from service.storage.data_folder import LOG, DataFolder, kill_group, lock_holder, signal_holder


class Handle(Protocol):
    """A trainer that was started."""

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs, or where nobody can tell."""

    def is_starved(self) -> bool:
        """Whether it lives, and gets no core to give a sign of it; False where nobody can tell."""

    def stop(self, *, force: bool = False) -> None:
        """Ask it to write a checkpoint and end, or, with ``force``, end it and all that it started."""


class Launcher(Protocol):
    """What places trainers. The lease outranks whatever it says of them."""

    def launch(self, job_id: str, fence: int) -> Handle:
        """Start a trainer."""

    def adopt(self, job_id: str) -> Handle:
        """A trainer that another process started."""


class Processes:
    """Trainers as processes on this host, each leading a session of its own: they outlive the API."""

    def __init__(self, settings: JobSettings) -> None:
        self.folder = DataFolder(settings.data)
        own = settings.model_copy(update={"data": self.folder.root, "database": settings.database_url})
        values = own.model_dump(mode="json")
        self.environment = os.environ | {
            PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None
        }

    def launch(self, job_id: str, fence: int) -> Handle:
        """Start ``service.jobs.trainer``; what it prints goes to the job's log."""
        folder = self.folder.job(job_id)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOG).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "service.jobs.trainer", job_id, str(fence)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        return _Child(process)

    def adopt(self, job_id: str) -> Handle:
        """The trainer that holds the lock of the job's folder."""
        return _Stranger(self.folder.job(job_id))


class _Child:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def poll(self) -> int | None:
        return self.process.poll()

    def is_starved(self) -> bool:
        return self.poll() is None and is_starved(self.process.pid)

    def stop(self, *, force: bool = False) -> None:
        if self.poll() is None:  # else its number may be another's by now
            kill_group(self.process.pid, signal.SIGKILL if force else signal.SIGTERM)


class _Stranger:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def poll(self) -> int | None:
        return None  # its lease tells

    def is_starved(self) -> bool:
        holder = lock_holder(self.folder)
        return holder is not None and is_starved(holder)

    def stop(self, *, force: bool = False) -> None:
        signal_holder(self.folder, signal.SIGKILL if force else signal.SIGTERM)
