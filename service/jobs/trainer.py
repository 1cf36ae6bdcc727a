"""The trainer: ``python -m service.jobs.trainer JOB FENCE`` makes one attempt at one job.

Its exit status tells the supervisor how it ended (``exit_codes``), and so does the job's row, where the
database can be written. It needs no supervisor: it goes on, and publishes, without one.
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
from service.jobs.heartbeat import Heart
from service.jobs.store import Failure, Job, JobStore
from service.processes.limits import limit_memory, yield_to_others
from service.settings.jobs import JobSettings
from service.storage.data_folder import DataFolder, log_tail, remove_temporary, signal_holder, try_lock
from service.storage.database import Database

if TYPE_CHECKING:
    from service.storage.model_check import Kept

log = logging.getLogger("n2n.jobs")


def main(job_id: str, fence: int) -> int:
    """One attempt, from the first heartbeat to the last word; the exit status."""
    settings = JobSettings()
    logging.config.dictConfig(logs.configuration("text"))
    limit_memory(settings.train_memory)
    store = JobStore(Database(settings.database_url))
    heart = Heart(store, job_id, fence, settings.train_heartbeat, settings.train_lease)
    signal.signal(signal.SIGTERM, lambda number, frame: heart.stop_asked.set())
    heart.beat()  # from here on, whoever else works at this job has a stale fence
    heart.start()
    return Attempt(store.get(job_id), DataFolder(settings.data), heart).go()


class Attempt:
    """One attempt at a job."""

    def __init__(self, job: Job, folder: DataFolder, heart: Heart) -> None:
        self.job, self.folder, self.heart = job, folder, heart

    def go(self) -> int:
        """Train, and tell how it ended."""
        log.info("attempt %d of %d at job %s", self.job.attempt, self.job.max_attempts, self.job.id)
        try:
            lock = self.take_folder()
            yield_to_others()
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

    def take_folder(self) -> TextIO:
        """Lock the job's folder; whoever has it still is an attempt whose fence is stale, and is killed."""
        folder = self.folder.job(self.job.id)
        while not (lock := try_lock(folder)):
            signal_holder(folder, signal.SIGKILL)
            time.sleep(0.1)
        remove_temporary(folder)
        return lock

    def train(self) -> "Kept | None":
        """The trained weights, or None if it stopped before."""
        from service.jobs import attempt  # here, where the heart beats already: it takes seconds

        return attempt.run(self.job, self.folder, self.heart)

    def publish(self, kept: "Kept") -> int:
        """The model is served from here on."""
        from service.jobs.attempt import publish
        from service.storage.model_catalogue import ModelCatalogue

        catalogue = ModelCatalogue(self.heart.store.database, self.folder)
        self.last_word(lambda: publish(catalogue, self.job, self.heart, kept))
        log.info("job %s has succeeded", self.job.id)
        return exit_codes.FINISHED

    def stopped(self) -> int:
        """It goes on another time, or not at all."""
        self.last_word(lambda: self.heart.store.stopped(self.job.id, self.heart.fence, self.heart.progress))
        log.info("job %s has stopped at a checkpoint", self.job.id)
        return exit_codes.STOPPED

    def failed(self, code: str, error: Exception) -> int:
        """No other attempt would do better."""
        self.heart.tell(has_checkpoint=self.folder.has_checkpoint(self.job.id))
        failure = Failure(code, str(error) or type(error).__name__, log_tail(self.folder.job(self.job.id)))
        store, fence = self.heart.store, self.heart.fence
        try:
            self.last_word(lambda: store.fail(self.job.id, fence, failure, self.heart.progress))
        except SQLAlchemyError:
            log.exception("this is for the supervisor to record")
        return exit_codes.STATUSES[code]

    def last_word(self, tell: Callable[[], object]) -> None:
        """End the job by one transaction, tried for as long as the lease holds."""
        self.heart.rest()
        self.heart.insist(tell)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
