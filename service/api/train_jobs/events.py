"""Server-sent events of a job: the lines of its log, and its states."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

from anyio import sleep
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from service.api.pools import DATABASE, OUTPUTS
from service.api.train_jobs.schemas import describe
from service.exceptions import UnknownJobError
from service.inference.scheduler import Scheduler
from service.jobs.store import JobStore

POLL_SECONDS, BEAT_SECONDS = 0.5, 15.0
READ_BYTES = 2**20
"""Bytes of a log that one stream holds. No line is longer."""

Lines = list[tuple[int, str]]


class EventLines:
    """Follows a log with one JSON object per line. Lines are numbered from 1.

    Args:
        after: number of the last line that the client already has.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        self.path, self.after = path, after
        self.offset = self.number = 0

    def read(self) -> Lines:
        """Return the next complete lines with their numbers; none if there are no new ones yet."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            while True:
                log.seek(self.offset)
                content = log.read(READ_BYTES)
                whole = content[: content.rfind(b"\n") + 1]  # the rest may be incomplete
                lines = list(enumerate(whole.decode().splitlines(), self.number + 1))
                self.offset += len(whole)
                self.number += len(lines)
                new = [(number, line) for number, line in lines if number > self.after]
                if new or not whole:
                    return new


async def stream(
    jobs: JobStore, scheduler: Scheduler, job_id: str, lines: EventLines, new: Lines
) -> AsyncIterator[bytes]:
    """Yield new lines, ``new`` first, and the job whenever its state changes, until it is done.

    Only lines have ids, so a client that reconnects with the last id misses none. It gets the current state
    in any case.
    """
    known, spoke = None, monotonic()
    while True:
        try:
            job = await DATABASE.run(jobs.get, job_id)
        except UnknownJobError:  # deleted in the meantime
            return
        new = new or await OUTPUTS.run(lines.read)  # after the job: one that is done writes no more
        while new:
            for number, line in new:
                yield format_sse_event(data_str=line, event=json.loads(line)["event"], id=str(number))
            spoke = monotonic()
            new = await OUTPUTS.run(lines.read)
        if known != (known := (job.state, job.attempt)):
            yield format_sse_event(data_str=describe(job).model_dump_json(), event="state")
            spoke = monotonic()
        if job.done or scheduler.draining:
            return
        if monotonic() - spoke >= BEAT_SECONDS:
            yield KEEPALIVE_COMMENT
            spoke = monotonic()
        await sleep(POLL_SECONDS)
