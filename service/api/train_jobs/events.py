"""A job as a stream of server-sent events: its log's lines, and its states."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

from anyio import sleep
from anyio.to_thread import run_sync
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from service.api.dependencies import State
from service.api.train_jobs.schemas import describe
from service.exceptions import UnknownJobError

POLL_SECONDS, BEAT_SECONDS = 0.5, 15.0

Lines = list[tuple[int, str]]


class EventLines:
    """Follows a log of one JSON object a line, whose lines have numbers from 1.

    Args:
        after: the number of the last line that is known already.
    """

    def __init__(self, path: Path, after: int = 0) -> None:
        self.path, self.after = path, after
        self.offset = self.number = 0

    def read(self) -> Lines:
        """The whole lines that are new, with their numbers."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(self.offset)
            content = log.read()
        whole = content[: content.rfind(b"\n") + 1]  # the rest may be cut short, and written anew
        lines = list(enumerate(whole.decode().splitlines(), self.number + 1))
        self.offset += len(whole)
        self.number += len(lines)
        return [(number, line) for number, line in lines if number > self.after]


async def stream(state: State, job_id: str, lines: EventLines, new: Lines) -> AsyncIterator[bytes]:
    """The lines as they come, ``new`` first, and the job at each change of its state, until it is done.

    Only lines have ids, so a client that comes again with the last one misses none; it gets the
    present state anyway.
    """
    known, spoke = None, monotonic()
    while True:
        try:
            job = await run_sync(state.jobs.get, job_id)
        except UnknownJobError:  # deleted meanwhile
            return
        for number, line in new + await run_sync(
            lines.read
        ):  # after the job: one that is done writes no more
            yield format_sse_event(data_str=line, event=json.loads(line)["event"], id=str(number))
            spoke = monotonic()
        new = []
        if known != (known := (job.state, job.attempt)):
            yield format_sse_event(data_str=describe(job).model_dump_json(), event="state")
            spoke = monotonic()
        if job.done or state.pipeline.scheduler.draining:
            return
        if monotonic() - spoke >= BEAT_SECONDS:
            yield KEEPALIVE_COMMENT
            spoke = monotonic()
        await sleep(POLL_SECONDS)
