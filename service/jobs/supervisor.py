"""The supervisor: it starts trainers for queued jobs, takes over from dead ones, and stops cancelled ones.

Any number of supervisors may share a database; each job is claimed by one of them. A running trainer needs no
supervisor.
"""

import logging
import signal
import socket
import threading
from typing import Self

from service.jobs import exit_codes
from service.jobs.launcher import Handle, Launcher, ProcessLauncher
from service.jobs.records import Failure, Job
from service.jobs.store import JobStore
from service.settings.jobs import JobSettings
from service.storage.data_folder import DataFolder, delete_folder, log_tail
from service.storage.database import Database

TICK_SECONDS = 0.5
STOP_SECONDS, KILL_SECONDS = 30.0, 40.0

log = logging.getLogger("n2n.jobs")


class Supervisor:
    """A thread that keeps ``train_concurrency`` trainers running on this host.

    Args:
        launcher: starts the trainers.
        stop_seconds: time from a job's cancellation until SIGTERM.
        kill_seconds: time from a job's cancellation until SIGKILL.
    """

    def __init__(
        self,
        settings: JobSettings,
        store: JobStore,
        launcher: Launcher | None = None,
        *,
        tick_seconds: float = TICK_SECONDS,
        stop_seconds: float = STOP_SECONDS,
        kill_seconds: float = KILL_SECONDS,
    ) -> None:
        self.settings, self.store, self.host = settings, store, socket.gethostname()
        self.folder = DataFolder(settings.data)
        self.launcher = launcher or ProcessLauncher(settings)
        self.tick_seconds, self.stop_seconds, self.kill_seconds = tick_seconds, stop_seconds, kill_seconds
        self.handles: dict[tuple[str, int], tuple[Job, Handle]] = {}  # by the job's id and fence
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> Self:
        """Tidy the data folder and start the thread."""
        self.folder.make()
        self._thread.start()
        return self

    def wake(self) -> None:
        """Make the next round start now, because a job was queued or cancelled."""
        self._wake.set()

    def close(self, *, stop_trainers: bool = False) -> None:
        """End the thread. Trainers go on, unless ``stop_trainers``.

        Stopped trainers write a checkpoint, and their jobs are queued again without using up an attempt.
        """
        self._closing.set()
        self.wake()
        self._thread.join()
        if stop_trainers:
            for _, handle in self.handles.values():
                handle.stop()

    def tick(self) -> None:
        """Do one round: first everything that frees places, then start trainers; make way for the rest."""
        self._record_exits()
        self._renew_starved_leases()
        self._take_over_expired()
        self._stop_cancelled()
        while job := self.store.claim(self.host, self.settings.train_concurrency, self.settings.train_lease):
            self._launch(job)
        self._make_way()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.clear()
            try:
                self.tick()
            except Exception as error:  # a full disk or a database that restarts must not end this thread
                log.error("supervising goes on, after: %s", error, exc_info=True)
            self._wake.wait(self.tick_seconds)

    def _launch(self, job: Job) -> None:
        try:
            self.handles[job.id, job.fence] = job, self.launcher.launch(job.id, job.fence)
        except OSError as error:
            code = exit_codes.reason(error)
            failure = Failure(code or "not_started", f"the trainer could not be started: {error}")
            self._lost(job, failure, permanent=code is not None)
        else:
            log.info("job %s: attempt %d of %d starts", job.id, job.attempt, job.max_attempts)

    def _record_exits(self) -> None:
        """Record the ends of own trainers that could not do so themselves. A failed write is retried."""
        for job, handle in list(self.handles.values()):
            status = handle.poll()
            if status is None:
                continue
            tail = log_tail(self.folder.job(job.id))
            code = exit_codes.CODES.get(status, "crashed")
            self._lost(job, Failure(code, _describe(status), tail), permanent=status in exit_codes.CODES)
            del self.handles[job.id, job.fence]

    def _renew_starved_leases(self) -> None:
        """Renew the leases of this host's trainers that cannot, because other programs have the cores."""
        lease = self.settings.train_lease
        for job in self.store.expiring(self.host, lease / 2):
            if self._handle(job).is_starved() and self.store.renew(job, lease):
                log.info("job %s: the trainer gets no core; its lease is renewed", job.id)

    def _take_over_expired(self) -> None:
        """Queue the jobs whose trainers stopped sending heartbeats, on any host."""
        for job in self.store.expired():
            tail = log_tail(self.folder.job(job.id))
            failure = Failure("lease_expired", "the trainer gave no sign of life", tail)
            lost = self._lost(job, failure, expired=True)
            if lost and (own := self.handles.get((job.id, job.fence))):
                own[1].stop(force=True)  # trainers of others are killed by the next attempt

    def _stop_cancelled(self) -> None:
        """Stop the trainers of cancelled jobs that have not stopped: by SIGTERM, then by SIGKILL."""
        for job in self.store.overdue(self.host, self.stop_seconds):
            self._handle(job).stop()
        for job in self.store.overdue(self.host, self.kill_seconds):
            self._handle(job).stop(force=True)

    def _make_way(self) -> None:
        """Stop a trainer at a checkpoint that others have waited for long enough. Its job is queued again."""
        if job := self.store.in_the_way(self.host, self.settings.train_slice):
            self._handle(job).stop()

    def _lost(self, job: Job, failure: Failure, *, permanent: bool = False, expired: bool = False) -> bool:
        after = self.store.lost(
            job,
            failure,
            permanent=permanent,
            expired=expired,
            has_checkpoint=self.folder.has_checkpoint(job.id),
        )
        if after:
            log.warning("job %s: %s; it is %s now", job.id, failure.detail, after.state)
        return after is not None

    def _handle(self, job: Job) -> Handle:
        own = self.handles.get((job.id, job.fence))
        return own[1] if own else self.launcher.adopt(job.id)


def delete_job(store: JobStore, folder: DataFolder, job_id: str) -> None:
    """Delete a job that has ended, with its folder.

    Raises:
        ConflictError: it has not ended.
    """
    store.delete(job_id, also=lambda: delete_folder(folder.job(job_id)))


def open_store(settings: JobSettings) -> JobStore:
    """Open the store of these settings, and migrate its database."""
    database = Database(settings.database_url)
    database.migrate()
    return JobStore(database)


def _describe(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        hint = ", as the system does when memory runs out" if status == -signal.SIGKILL else ""
        return f"the trainer was killed by {name}{hint}"
    return f"the trainer ended with status {status}"
