"""A trainer's heartbeat: it renews the lease, tells the progress, and learns whether to stop."""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from service.exceptions import LeaseLostError
from service.jobs.exit_codes import LEASE_LOST
from service.jobs.store import JobStore, Progress
from service.storage.job_states import State

RETRY_SECONDS = 0.5

log = logging.getLogger("n2n.jobs")


class Heart(threading.Thread):
    """Beats until ``rest``; ends the whole process at once when the lease is lost.

    The lease is counted from before each heartbeat is sent, by a clock that nobody sets: so the
    trainer gives up no later than the database thinks that it has.
    """

    def __init__(self, store: JobStore, job_id: str, fence: int, every: float, lease: float) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.store, self.job_id, self.fence, self.every, self.lease = store, job_id, fence, every, lease
        self.progress = Progress()
        self.stop_asked = threading.Event()
        self._resting = threading.Event()
        self._renewed = time.monotonic()

    def run(self) -> None:
        """Beat at once, then every ``every`` seconds."""
        while True:
            self.beat()
            if self._resting.wait(self.every):
                return

    def beat(self) -> None:
        """One heartbeat. A database that does not answer is tried again until the lease ends."""
        began = time.monotonic()
        try:
            state = self.store.heartbeat(self.job_id, self.fence, self.lease, self.progress)
        except LeaseLostError as error:
            _die(str(error))
        except SQLAlchemyError as error:
            log.warning("no heartbeat: %s", error)
            if not self.holds:
                _die("no heartbeat for the time of a lease")
        else:
            self._renewed = began
            if state is State.CANCELLING:
                self.stop_asked.set()

    @property
    def holds(self) -> bool:
        """Whether the lease has time left."""
        return time.monotonic() - self._renewed < self.lease

    def tell(self, **values: Any) -> None:
        """Change the progress that the next heartbeat tells."""
        self.progress = replace(self.progress, **values)

    def insist(self, write: Callable[[], object]) -> None:
        """Write to the database; while it does not answer, again, for as long as the lease holds."""
        while True:
            try:
                write()
                return
            except SQLAlchemyError as error:
                if not self.holds:
                    raise
                log.warning("not written yet: %s", error)
                time.sleep(RETRY_SECONDS)

    def rest(self) -> None:
        """Stop beating, so that the end is told by one transaction alone."""
        self._resting.set()
        self.join()


def _die(why: str) -> None:
    log.error("%s: this trainer ends", why)
    os._exit(LEASE_LOST)  # not even a checkpoint: the folder may be another trainer's
