"""The scheduler of tiles: who runs on a device next.

The unit of work is a tile, not a request. A picture is cut into tiles with the network's own
context; tiles of all requests with the same model and shape form batches, when the device is
free and of what then waits: no window, no polling. The request with the least work left goes
first, and one that has waited long rises, so that none starves. Small requests have a lane of
their own beside the large ones', so that they wait for no tile of a large picture; the machine's
cores are shared by its operating system. A request that is cancelled, or too late, loses its
tiles at once; an error concerns its request alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from math import ceil
from time import monotonic, perf_counter
from typing import Protocol

import numpy as np

from n2n_core.image import Pixels
from n2n_core.inference import tiling
from n2n_core.inference.tiling import Tile
from service.exceptions import DeadlineError, RefusedError
from service.inference.device_process import BRIEF, LANES, LONG, Cores
from service.inference.tile_job import Denoiser, Job

BRIEF_SECONDS = 0.005
"""What takes no longer than this goes in the lane of small requests."""

SERIAL_SECONDS = 0.0005
"""Tiles that take less than this on all cores are run on one core less: to receive and answer their
requests takes about as long, and to wake a sleeping core for each operation costs what it saves."""


class Observer(Protocol):
    """What is told of the work; ``service.telemetry`` counts it."""

    def batch(self, model: str, tiles: int, pixels: int, seconds: float) -> None:
        """A batch has run."""

    def waited(self, model: str, seconds: float) -> None:
        """A request's first tile runs, so long after its arrival."""

    def dropped(self, model: str, reason: str) -> None:
        """A request ends without a result: cancelled, deadline or failed."""


class Silent:
    """An observer that does nothing."""

    def batch(self, model: str, tiles: int, pixels: int, seconds: float) -> None:
        """Nothing."""

    def waited(self, model: str, seconds: float) -> None:
        """Nothing."""

    def dropped(self, model: str, reason: str) -> None:
        """Nothing."""


class Lane:
    """A queue, and the tasks that have a device run what is in it: one for each line, while there is work.

    Where a device has several lines, each batch has its share of the cores: two batches on a core each
    take less time than one after the other on both. A batch that is alone has them all.

    Args:
        number: the lane's, and that of its first line to the device.
        running: the lines, of all lanes of the device, that are at work.
    """

    def __init__(self, number: int, running: set[int], observer: Observer) -> None:
        self.number, self.running, self.observer = number, running, observer
        self.jobs: list[Job] = []
        self.pixels = 0
        self.work: dict[int, asyncio.Task[None]] = {}

    def put(self, job: Job) -> None:
        """Queue a job. It runs with those that come in the same turn of the event loop."""
        self.jobs.append(job)
        self.pixels += job.left
        for line in range(_lines(job)):
            if line not in self.work:
                self.work[line] = asyncio.ensure_future(self._work(line))

    def seconds_before(self, job: Job) -> float:
        """How long the lane works before ``job`` would be done, by its own rules of order."""
        now = monotonic()
        ahead = [other for other in self.jobs if other.urgency(now) <= job.urgency(now)]
        return sum(other.seconds for other in (*ahead, job))

    async def finish(self) -> None:
        """Wait until nothing is left to do."""
        while self.work:
            await next(iter(self.work.values()))

    async def _work(self, line: int) -> None:
        try:
            while batch := self._form():
                number, cores = self.number + line * len(LANES), self._cores(batch[0][0])
                self.running.add(number)
                try:
                    await self._run(batch, number, cores)
                finally:
                    self.running.discard(number)
        finally:
            del self.work[line]

    def _form(self) -> list[tuple[Job, Tile]]:
        """The next batch: the most urgent job's tiles, then those of its like, but no more than its share."""
        now = monotonic()
        self._drop(now)
        if not self.jobs:
            return []
        order = sorted(self.jobs, key=lambda job: job.urgency(now))
        first = order[0]
        alike = [job for job in order if job.key == first.key]
        share = ceil(sum(job.left for job in alike) / first.tile_pixels / _lines(first))
        room = min(share, max(1, first.denoiser.pace.sweet_pixels // first.tile_pixels))
        batch: list[tuple[Job, Tile]] = []
        for job in alike:
            if room > len(batch):
                batch += job.take(room - len(batch))
        for job in {job: None for job, _ in batch}:
            if job.started is None:
                job.started = now
                self.observer.waited(job.model, now - job.arrived)
        self.jobs = [job for job in self.jobs if job.left]
        self.pixels -= len(batch) * first.tile_pixels
        return batch

    def _cores(self, job: Job) -> Cores:
        """Those that a batch of such jobs may take, which was formed a moment ago."""
        if _is_cheap(job):
            return "spare"
        return "share" if job.denoiser.lines > 1 and (self.jobs or self.running) else "all"

    def _drop(self, now: float) -> None:
        """Forget cancelled jobs, and end those whose time is over."""
        kept = []
        for job in self.jobs:
            if job.result.cancelled():
                self.observer.dropped(job.model, "cancelled")
            elif job.deadline is not None and now > job.deadline:
                self._fail(job, DeadlineError(), "deadline")
            else:
                kept.append(job)
                continue
            self.pixels -= job.left
        self.jobs = kept

    async def _run(self, batch: list[tuple[Job, Tile]], line: int, cores: Cores) -> None:
        """Run a batch, in halves if the device has no memory for it, alone if it fails."""
        first = batch[0][0]
        began, pace = perf_counter(), first.denoiser.pace
        try:
            tiles = np.stack([job.read(tile) for job, tile in batch])
            results = await first.denoiser.run(tiles, line, cores, first.exact)
        except Exception as error:
            if len(batch) == 1:
                self._fail(first, error, "failed")
                return
            half = (len(batch) + 1) // 2 if isinstance(error, MemoryError) else 1
            for start in range(0, len(batch), half):
                await self._run(batch[start : start + half], line, cores)
            return
        seconds, pixels = perf_counter() - began, len(batch) * first.tile_pixels
        if pixels > pace.sweet_pixels // 2:  # in smaller ones the way there and back counts
            pace.learn(pixels, seconds / (first.denoiser.lines if cores == "share" else 1))
        self.observer.batch(first.model, len(batch), pixels, seconds)
        for (job, tile), result in zip(batch, results, strict=True):
            job.write(tile, result)

    def _fail(self, job: Job, error: Exception, reason: str) -> None:
        if job in self.jobs and reason == "failed":
            self.jobs.remove(job)
            self.pixels -= job.left
        if not job.result.done():
            self.observer.dropped(job.model, reason)
            job.result.set_exception(error)


class Device:
    """The lanes of one device."""

    def __init__(self, observer: Observer) -> None:
        running = set[int]()
        self.lanes = [Lane(number, running, observer) for number in LANES]

    @property
    def pixels(self) -> int:
        """Pixels that wait."""
        return sum(lane.pixels for lane in self.lanes)

    @property
    def seconds(self) -> float:
        """What waits is expected to take."""
        return sum(job.seconds for lane in self.lanes for job in lane.jobs)

    def lane(self, job: Job) -> Lane:
        """Where a job goes."""
        return self.lanes[BRIEF if job.seconds <= BRIEF_SECONDS else LONG]

    async def finish(self) -> None:
        """Wait until nothing is left to do."""
        for lane in self.lanes:
            await lane.finish()


class Scheduler:
    """All devices, and what they may take on. It belongs to one event loop.

    Args:
        devices: their number; every model has as many denoisers.
        max_pixels: bound of the pixels that wait for a device; one picture alone is always taken.
        observer: is told of the work.
    """

    def __init__(self, devices: int, max_pixels: int, observer: Observer | None = None) -> None:
        self.devices = [Device(observer or Silent()) for _ in range(devices)]
        self.max_pixels = max_pixels
        self.draining = self._closed = False
        self._held = 0

    @property
    def pixels(self) -> int:
        """Pixels that wait."""
        return self._held + sum(device.pixels for device in self.devices)

    def hold(self, pixels: int) -> None:
        """Count pixels that wait for their turn to be submitted; ``RefusedError`` if they are too many."""
        self._check_fits(pixels)
        self._held += pixels

    def release(self, pixels: int) -> None:
        """Those are submitted now, or not any more."""
        self._held -= pixels

    def check_room(self) -> None:
        """Raise ``RefusedError`` if no picture at all would be taken on now."""
        if self.draining:
            raise _stopping()
        if self.pixels >= self.max_pixels:
            detail = f"{self.pixels} pixels wait, expected fewer than {self.max_pixels}"
            raise RefusedError("overloaded", detail, self._relief())

    def submit(
        self,
        model: str,
        denoisers: Sequence[Denoiser],
        image: Pixels,
        timeout: float | None = None,
        exact: bool = False,
    ) -> Job:
        """Queue ``(3, H, W)`` floats in [0, 1], ``exact`` if they have more than 8 bits.

        Raises:
            RefusedError: too much waits, the service stops, or the result would be later than ``timeout``
                seconds from now.
        """
        self._check_fits(image.shape[1] * image.shape[2])
        return self._put(model, denoisers, image, timeout, exact)

    def submit_all(
        self,
        model: str,
        denoisers: Sequence[Denoiser],
        images: Sequence[Pixels],
        timeout: float | None,
        exact: bool = False,
    ) -> list[Job]:
        """Queue what is of use only together: all, or, with ``RefusedError`` as of ``submit``, none."""
        self._check_fits(sum(image.shape[1] * image.shape[2] for image in images))
        jobs: list[Job] = []
        try:
            for image in images:
                jobs.append(self._put(model, denoisers, image, timeout, exact))
        except RefusedError:
            for job in jobs:
                job.result.cancel()
            raise
        return jobs

    def _check_fits(self, own: int) -> None:
        """Raise ``RefusedError`` if ``own`` more pixels are too many; when nothing waits, they never are."""
        if self._closed:
            raise _stopping()
        waiting = self.pixels
        if waiting and waiting + own > self.max_pixels:
            detail = f"{waiting} pixels wait, expected at most {self.max_pixels} with this picture's {own}"
            raise RefusedError("overloaded", detail, self._relief())

    def _put(
        self,
        model: str,
        denoisers: Sequence[Denoiser],
        image: Pixels,
        timeout: float | None,
        exact: bool,
    ) -> Job:
        index, device = min(enumerate(self.devices), key=lambda pair: pair[1].pixels)
        job = _job(model, denoisers[index], image, timeout, exact)
        lane = device.lane(job)
        if timeout is not None:
            seconds = lane.seconds_before(job)
            if seconds > timeout:
                detail = f"the result would take {seconds:.1f} s, expected at most {timeout:g} s"
                raise RefusedError("too_late", detail, max(1.0, seconds - timeout))
        lane.put(job)
        return job

    def _relief(self) -> float:
        """Seconds until the queue may have room."""
        return max(1.0, min(device.seconds for device in self.devices) / 2)

    def drain(self) -> None:
        """Admit no requests; pictures of those that were admitted are taken on still, and finished."""
        self.draining = True

    async def close(self) -> None:
        """Take on nothing more, and finish what was taken on."""
        self.draining = self._closed = True
        for device in self.devices:
            await device.finish()


def _stopping() -> RefusedError:
    return RefusedError("stopping", "the service is stopping, expected another one", 1)


def _is_cheap(job: Job) -> bool:
    return job.tile_pixels * job.denoiser.pace.seconds_per_pixel <= SERIAL_SECONDS


def _lines(job: Job) -> int:
    """Batches of such jobs that may run at once."""
    return 1 if _is_cheap(job) else job.denoiser.lines


def _job(model: str, denoiser: Denoiser, image: Pixels, timeout: float | None, exact: bool) -> Job:
    padded = tiling.pad(image, denoiser.geometry)
    height, width = padded.shape[-2:]
    cover = list(tiling.tiles(height, width, denoiser.geometry, denoiser.pace.window))
    deadline = None if timeout is None else monotonic() + timeout
    return Job(model, denoiser, padded, cover, deadline, exact)
