"""A lane: a queue of pictures for a device, and the batches that are formed from it.

A batch is formed when a line is free, from the tiles that wait then; there is no time window and no polling.
The picture with the least work left goes first, and waiting makes a picture more urgent, so none starves.
"""

from __future__ import annotations

import asyncio
from math import ceil
from time import monotonic, perf_counter
from typing import Protocol

import numpy as np

from n2n_core.inference.tiling import Tile
from service.exceptions import DeadlineError, RefusedError
from service.inference.lines import BRIEF, LANES, LONG, Cores, line_number
from service.inference.tile_job import TileJob
from service.processes.child import ChildDiedError

BRIEF_SECONDS = 0.005
"""Pictures that take no longer than this go in the BRIEF lane."""

SERIAL_SECONDS = 0.0005
"""Tiles that take less than this on all cores run on one core less. Receiving and answering their requests
takes about as long, and waking a sleeping core for each operation costs what it saves."""

NO_ROOM_SECONDS = 5
"""Seconds after which a client may try again, if the device had no memory for a single tile."""


class Observer(Protocol):
    """Is notified of the scheduler's work; ``service.telemetry`` counts it."""

    def batch(self, model: str, tiles: int, pixels: int, seconds: float) -> None:
        """Called when a batch has run."""

    def waited(self, model: str, seconds: float) -> None:
        """Called when a picture's first tile runs, ``seconds`` after the picture arrived."""

    def dropped(self, model: str, reason: str) -> None:
        """Called when a picture ends without a result. The reason is cancelled, deadline or failed."""


Batch = list[tuple[TileJob, Tile]]


class Lane:
    """A queue of jobs, and a task for each line that has work.

    Where a device has several lines, each batch runs on its line's share of the cores: two batches on a core
    each take less time than one after the other on both. A batch that is alone runs on all cores.

    Args:
        number: of the lane.
        running: numbers of the device's lines, of both lanes, that run a batch now.
    """

    def __init__(self, number: int, running: set[int], observer: Observer) -> None:
        self.number, self.running, self.observer = number, running, observer
        self.jobs: list[TileJob] = []
        self.pixels = 0
        self.work: dict[int, asyncio.Task[None]] = {}

    def put(self, job: TileJob) -> None:
        """Queue a job. It can share a batch with jobs of the same turn of the event loop."""
        self.jobs.append(job)
        self.pixels += job.pixels_left
        for index in range(_usable_lines(job)):
            if index not in self.work:
                self.work[index] = asyncio.ensure_future(self._work(index))

    def seconds_until_done(self, job: TileJob) -> float:
        """Return the expected time until ``job`` would be done, if it were queued now."""
        now = monotonic()
        ahead = [other for other in self.jobs if other.priority(now) <= job.priority(now)]
        return sum(other.seconds_left for other in (*ahead, job))

    async def finish(self) -> None:
        """Wait until the queue is empty and no batch runs."""
        while self.work:
            await next(iter(self.work.values()))

    async def _work(self, index: int) -> None:
        line = line_number(self.number, index)
        try:
            while batch := self._next_batch():
                cores = self._cores(batch[0][0])
                self.running.add(line)
                try:
                    await self._run(batch, line, cores)
                finally:
                    self.running.discard(line)
        finally:
            del self.work[index]

    def _next_batch(self) -> Batch:
        """Take tiles of the most urgent job and of jobs like it, up to the line's share of them."""
        now = monotonic()
        self._drop_ended(now)
        if not self.jobs:
            return []
        order = sorted(self.jobs, key=lambda job: job.priority(now))
        first = order[0]
        alike = [job for job in order if job.batch_key == first.batch_key]
        share = ceil(sum(job.pixels_left for job in alike) / first.tile_pixels / _usable_lines(first))
        room = min(share, max(1, first.denoiser.throughput.sweet_pixels // first.tile_pixels))
        batch: Batch = []
        for job in alike:
            if room > len(batch):
                batch += job.take(room - len(batch))
        for job in {job: None for job, _ in batch}:
            if job.started is None:
                job.started = now
                self.observer.waited(job.model, now - job.arrived)
        self.jobs = [job for job in self.jobs if job.pixels_left]
        self.pixels -= len(batch) * first.tile_pixels
        return batch

    def _cores(self, job: TileJob) -> Cores:
        """Return the cores for a batch of such jobs that was formed a moment ago."""
        if _is_cheap(job):
            return "spare"
        return "share" if job.denoiser.lines > 1 and (self.jobs or self.running) else "all"

    def _drop_ended(self, now: float) -> None:
        """Remove cancelled jobs, and fail those whose deadline is over."""
        kept = []
        for job in self.jobs:
            if job.result.cancelled():
                self.observer.dropped(job.model, "cancelled")
            elif job.deadline is not None and now > job.deadline:
                self._fail(job, DeadlineError(), "deadline")
            else:
                kept.append(job)
                continue
            self.pixels -= job.pixels_left
        self.jobs = kept

    async def _run(self, batch: Batch, line: int, cores: Cores) -> None:
        """Run a batch: in halves if the device has not enough memory, tile by tile if it fails otherwise.

        If the device's process does not survive the batch, or the model is not there, all of it fails.
        """
        first = batch[0][0]
        began, throughput = perf_counter(), first.denoiser.throughput
        try:
            tiles = np.stack([job.read(tile) for job, tile in batch])
            results = await first.denoiser.run(tiles, line, cores, first.exact)
        except (ChildDiedError, RefusedError) as error:
            for job in {job: None for job, _ in batch}:
                self._fail(job, error, "failed")
            return
        except Exception as error:
            if len(batch) == 1:
                self._fail(first, _no_room(error) if isinstance(error, MemoryError) else error, "failed")
                return
            size = (len(batch) + 1) // 2 if isinstance(error, MemoryError) else 1
            for start in range(0, len(batch), size):
                await self._run(batch[start : start + size], line, cores)
            return
        seconds, pixels = perf_counter() - began, len(batch) * first.tile_pixels
        if pixels > throughput.sweet_pixels // 2:  # smaller batches measure the way to the device, too
            throughput.learn(pixels, seconds / (first.denoiser.lines if cores == "share" else 1))
        self.observer.batch(first.model, len(batch), pixels, seconds)
        for (job, tile), result in zip(batch, results, strict=True):
            job.write(tile, result)

    def _fail(self, job: TileJob, error: Exception, reason: str) -> None:
        if job in self.jobs and reason == "failed":
            self.jobs.remove(job)
            self.pixels -= job.pixels_left
        if not job.result.done():
            self.observer.dropped(job.model, reason)
            job.result.set_exception(error)


class Device:
    """The two lanes of one device."""

    def __init__(self, observer: Observer) -> None:
        running = set[int]()
        self.lanes = [Lane(number, running, observer) for number in LANES]

    @property
    def pixels(self) -> int:
        """Number of pixels that wait."""
        return sum(lane.pixels for lane in self.lanes)

    @property
    def seconds(self) -> float:
        """Expected time for the waiting work, in seconds."""
        return sum(job.seconds_left for lane in self.lanes for job in lane.jobs)

    def lane(self, job: TileJob) -> Lane:
        """Return the lane that a job goes in."""
        return self.lanes[BRIEF if job.seconds_left <= BRIEF_SECONDS else LONG]

    async def finish(self) -> None:
        """Wait until both lanes are done."""
        for lane in self.lanes:
            await lane.finish()


def _no_room(error: MemoryError) -> RefusedError:
    return RefusedError(
        "unavailable", f"the device has not enough memory for a tile: {error}", NO_ROOM_SECONDS
    )


def _is_cheap(job: TileJob) -> bool:
    return job.tile_pixels * job.denoiser.throughput.seconds_per_pixel <= SERIAL_SECONDS


def _usable_lines(job: TileJob) -> int:
    """Return how many batches of such jobs may run at once."""
    return 1 if _is_cheap(job) else job.denoiser.lines
