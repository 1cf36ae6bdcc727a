"""A trainer's heartbeat: it renews the lease, reports the progress, and learns whether to stop."""

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
from service.jobs.records import Progress
from service.jobs.store import JobStore
from service.storage.job_states import State

RETRY_SECONDS = 0.5

log = logging.getLogger("n2n.jobs")


class Heartbeat(threading.Thread):
    """Beats until ``stop``. If the lease is lost, it ends the whole process at once.

    The lease is counted from before each heartbeat is sent, on a monotonic clock. So the trainer gives up no
    later than the database considers its lease to be over.

    Args:
        every: seconds between two heartbeats.
        lease: seconds that each heartbeat renews the lease for.
    """

    def __init__(self, store: JobStore, job_id: str, fence: int, every: float, lease: float) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.store, self.job_id, self.fence, self.every, self.lease = store, job_id, fence, every, lease
        self.progress = Progress()
        self.stop_requested = threading.Event()
        self._stopping = threading.Event()
        self._renewed = time.monotonic()

    def run(self) -> None:
        """Send a heartbeat at once, then every ``every`` seconds."""
        while True:
            self.beat()
            if self._stopping.wait(self.every):
                return

    def beat(self) -> None:
        """Send one heartbeat. One that fails is followed by others until the lease has run out."""
        began = time.monotonic()
        try:
            state = self.store.heartbeat(self.job_id, self.fence, self.lease, self.progress)
        except LeaseLostError as error:
            _exit(str(error))
        except SQLAlchemyError as error:
            log.warning("no heartbeat: %s", error)
            if not self.has_lease:
                _exit("no heartbeat for the time of a lease")
        else:
            self._renewed = began
            if state is State.CANCELLING:
                self.stop_requested.set()

    @property
    def has_lease(self) -> bool:
        """True if the lease has time left."""
        return time.monotonic() - self._renewed < self.lease

    def report(self, **values: Any) -> None:
        """Change fields of the progress, which the next heartbeat sends."""
        self.progress = replace(self.progress, **values)

    def retry(self, write: Callable[[], object]) -> None:
        """Write to the database. While it does not answer, try again, for as long as the lease lasts."""
        while True:
            try:
                write()
                return
            except SQLAlchemyError as error:
                if not self.has_lease:
                    raise
                log.warning("not written yet: %s", error)
                time.sleep(RETRY_SECONDS)

    def stop(self) -> None:
        """Stop beating, so that one transaction alone records the end."""
        self._stopping.set()
        self.join()


def _exit(reason: str) -> None:
    log.error("%s: this trainer ends", reason)
    os._exit(LEASE_LOST)  # without a checkpoint: the folder may belong to another trainer already
