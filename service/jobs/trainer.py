"""The trainer: ``python -m service.jobs.trainer JOB FENCE`` makes one attempt at one job.

Its exit status tells the supervisor how it ended (``exit_codes``), and so does the job's row, if the database
can be written. It needs no supervisor: without one, it trains and publishes all the same.
"""

import logging
import logging.config
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from sqlalchemy.exc import SQLAlchemyError

from service import logs
from service.exceptions import LeaseLostError
from service.jobs import exit_codes
from service.jobs.exit_codes import FailureCode
from service.jobs.heartbeat import Heartbeat
from service.jobs.records import Failure, Job
from service.jobs.store import JobStore
from service.processes.limits import limit_memory, lower_priority
from service.settings.jobs import JobSettings
from service.storage.data_folder import DataFolder, log_tail, remove_temporary, signal_holder, try_lock
from service.storage.database import Database

if TYPE_CHECKING:
    from service.storage.model_check import Kept

log = logging.getLogger("n2n.jobs")


def main(job_id: str, fence: int) -> int:
    """Make one attempt, from the first heartbeat to the last transaction. Return the exit status."""
    settings = JobSettings()
    logging.config.dictConfig(logs.configuration("text"))
    limit_memory(settings.train_memory)
    store = JobStore(Database(settings.database_url))
    heartbeat = Heartbeat(store, job_id, fence, settings.train_heartbeat, settings.train_lease)
    signal.signal(signal.SIGTERM, lambda number, frame: heartbeat.stop_requested.set())
    heartbeat.beat()  # from here on, any other trainer of this job has a stale fence
    heartbeat.start()
    return Attempt(store.get(job_id), DataFolder(settings.data), heartbeat).run()


class Attempt:
    """One attempt at a job."""

    def __init__(self, job: Job, folder: DataFolder, heartbeat: Heartbeat) -> None:
        self.job, self.folder, self.heartbeat = job, folder, heartbeat

    def run(self) -> int:
        """Train, and record how it ended. Return the exit status."""
        log.info("attempt %d of %d at job %s", self.job.attempt, self.job.max_attempts, self.job.id)
        try:
            lock = self.lock_folder()
            lower_priority()
            with lock:
                kept = self.train()
                return self.stopped() if kept is None else self.publish(kept)
        except LeaseLostError as error:
            log.error("%s", error)
            return exit_codes.LEASE_LOST
        except Exception as error:
            log.exception("the training failed")
            code = exit_codes.reason(error)
            return exit_codes.CRASHED if code is None else self.failed(code, error)

    def lock_folder(self) -> TextIO:
        """Lock the job's folder. A process that still holds the lock has a stale fence, and is killed."""
        folder = self.folder.job(self.job.id)
        while not (lock := try_lock(folder)):
            signal_holder(folder, signal.SIGKILL)
            time.sleep(0.1)
        remove_temporary(folder)
        return lock

    def train(self) -> "Kept | None":
        """Return the trained weights, or None if the training was stopped."""
        from service.jobs import attempt  # here, as it takes seconds and the heart beats already

        return attempt.run(self.job, self.folder, self.heartbeat)

    def publish(self, kept: "Kept") -> int:
        """Publish the model: from here on it is served."""
        from service.jobs.attempt import publish
        from service.storage.model_catalogue import ModelCatalogue

        catalogue = ModelCatalogue(self.heartbeat.store.database, self.folder)
        self.finish(lambda: publish(catalogue, self.job, self.heartbeat, kept))
        log.info("job %s has succeeded", self.job.id)
        return exit_codes.FINISHED

    def stopped(self) -> int:
        """Record that the training stopped; the job may be resumed later."""
        beat = self.heartbeat
        self.finish(lambda: beat.store.stopped(self.job.id, beat.fence, beat.progress))
        log.info("job %s has stopped at a checkpoint", self.job.id)
        return exit_codes.STOPPED

    def failed(self, code: FailureCode, error: Exception) -> int:
        """Record a failure that another attempt would repeat."""
        beat = self.heartbeat
        beat.report(has_checkpoint=self.folder.has_checkpoint(self.job.id))
        failure = Failure(code, str(error) or type(error).__name__, log_tail(self.folder.job(self.job.id)))
        try:
            self.finish(lambda: beat.store.fail(self.job.id, beat.fence, failure, beat.progress))
        except SQLAlchemyError:
            log.exception("the failure could not be recorded; the supervisor will do it")
        return exit_codes.STATUSES[code]

    def finish(self, write: Callable[[], object]) -> None:
        """End the job with one transaction, which is retried for as long as the lease lasts."""
        self.heartbeat.stop()
        self.heartbeat.retry(write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
