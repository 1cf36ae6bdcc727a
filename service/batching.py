"""The scheduler of tiles: who runs on a device next.

The unit of work is a tile, not a request. A picture is cut into tiles with the network's own
context; tiles of all requests with the same model and shape form batches, when the device is
free and of what then waits: no window, no polling. The request with the least work left goes
first, and one that has waited long rises, so that a large picture delays small ones by one
batch, and starves none. A request that is cancelled, or too late, loses its tiles at once; an
error concerns its request alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic, perf_counter
from typing import Protocol

import torch
from torch import Tensor

from n2n_core import tiling
from n2n_core.inference import Denoiser
from n2n_core.tiling import Tile
from service.tile_job import Job, settle

SERIAL_SECONDS = 0.003
"""Batches that take less than this on all cores are run on one."""

INTERACTIVE_SECONDS = 2.0
"""How long after a small request large pictures are cut into small tiles."""


class RefusedError(Exception):
    """Work that is not taken on: the queue is full, the service stops, or it would be late."""

    def __init__(self, reason: str, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.retry_after = reason, detail, retry_after


class DeadlineError(Exception):
    """A request's time was over before its work was done."""


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


class Device:
    """A thread that runs one device's jobs."""

    def __init__(self, name: str, observer: Observer) -> None:
        self.observer, self.threads = observer, torch.get_num_threads()
        self.jobs: list[Job] = []
        self.pixels = 0
        self.stopping = False
        self.wake = threading.Condition()
        self.thread = threading.Thread(target=self._loop, name=f"device-{name}", daemon=True)
        self.thread.start()

    def put(self, job: Job) -> None:
        """Queue a job."""
        with self.wake:
            self.jobs.append(job)
            self.pixels += job.left
            self.wake.notify()

    def seconds_before(self, job: Job) -> float:
        """How long the device works before ``job`` would be done, by its own rules of order."""
        with self.wake:
            now = monotonic()
            ahead = [other for other in self.jobs if other.urgency(now) <= job.urgency(now)]
            work = [(other.left, other.denoiser.seconds_per_pixel) for other in (*ahead, job)]
        return sum(pixels * seconds for pixels, seconds in work)

    def stop(self) -> None:
        """End the thread once nothing waits."""
        with self.wake:
            self.stopping = True
            self.wake.notify()
        self.thread.join()

    def _loop(self) -> None:
        while True:
            with self.wake:
                while not self.jobs and not self.stopping:
                    self.wake.wait()
                if not self.jobs:
                    return
                batch = self._form()
            if batch:
                self._run(batch)

    def _form(self) -> list[tuple[Job, Tile]]:
        """The next batch: the most urgent job's tiles, then those of its like."""
        now = monotonic()
        self._drop(now)
        if not self.jobs:
            return []
        order = sorted(self.jobs, key=lambda job: job.urgency(now))
        first = order[0]
        room = max(1, first.denoiser.sweet_pixels // first.tile_pixels)
        batch: list[tuple[Job, Tile]] = []
        for job in order:
            if job.key == first.key and room > len(batch):
                batch += job.take(room - len(batch))
        for job in {job: None for job, _ in batch}:
            if job.started is None:
                job.started = now
                self.observer.waited(job.model, now - job.arrived)
        self.jobs = [job for job in self.jobs if job.left]
        self.pixels -= len(batch) * first.tile_pixels
        return batch

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

    def _run(self, batch: list[tuple[Job, Tile]]) -> None:
        """Run a batch, in halves if the device has no memory for it, alone if it fails."""
        denoiser = batch[0][0].denoiser
        self._share_cores(denoiser, len(batch) * batch[0][0].tile_pixels)
        began = perf_counter()
        try:
            results = denoiser.run(torch.stack([job.read(tile) for job, tile in batch]))
        except Exception as error:
            if len(batch) == 1:
                self._fail(batch[0][0], error, "failed")
                return
            half = (len(batch) + 1) // 2 if is_out_of_memory(error) else 1
            for start in range(0, len(batch), half):
                self._run(batch[start : start + half])
            return
        seconds, pixels = perf_counter() - began, len(batch) * batch[0][0].tile_pixels
        denoiser.learn(pixels, seconds)
        self.observer.batch(batch[0][0].model, len(batch), pixels, seconds)
        for (job, tile), result in zip(batch, results, strict=True):
            job.write(tile, result)

    def _share_cores(self, denoiser: Denoiser, pixels: int) -> None:
        """Run short batches on one core: the others read and write pictures meanwhile."""
        wanted = 1 if pixels * denoiser.seconds_per_pixel < SERIAL_SECONDS else self.threads
        if torch.get_num_threads() != wanted:
            torch.set_num_threads(wanted)

    def _fail(self, job: Job, error: Exception, reason: str) -> None:
        with self.wake:
            if job in self.jobs and reason == "failed":
                self.jobs.remove(job)
                self.pixels -= job.left
        if not job.result.done():
            self.observer.dropped(job.model, reason)
            settle(job.result.set_exception, error)


def is_out_of_memory(error: Exception) -> bool:
    """Whether an allocation failed, on CUDA or on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


class Scheduler:
    """All devices, and what they may take on.

    Args:
        devices: their names, in the order of every model's denoisers.
        max_pixels: bound of the pixels that wait for a device; one picture alone is always taken.
        observer: is told of the work.
    """

    def __init__(self, devices: Sequence[str], max_pixels: int, observer: Observer | None = None) -> None:
        self.devices = [Device(name, observer or Silent()) for name in devices]
        self.max_pixels = max_pixels
        self.draining = False
        self._last_small = -INTERACTIVE_SECONDS

    @property
    def pixels(self) -> int:
        """Pixels that wait."""
        return sum(device.pixels for device in self.devices)

    def check_room(self) -> None:
        """Raise ``RefusedError`` if no picture at all would be taken on now."""
        if self.draining:
            raise RefusedError("stopping", "the service is stopping, expected another one", 1)
        if self.pixels >= self.max_pixels:
            detail = f"{self.pixels} pixels wait, expected fewer than {self.max_pixels}"
            raise RefusedError("overloaded", detail, self._relief())

    def submit(
        self, model: str, denoisers: Sequence[Denoiser], image: Tensor, timeout: float | None = None
    ) -> Job:
        """Queue ``(3, H, W)`` floats in [0, 1].

        Raises:
            RefusedError: too much waits, the service stops, or the result would be later than ``timeout``
                seconds from now.
        """
        if self.draining:
            self.check_room()
        waiting, own = self.pixels, image.shape[1] * image.shape[2]
        if waiting and waiting + own > self.max_pixels:
            detail = f"{waiting} pixels wait, expected at most {self.max_pixels} with this picture's {own}"
            raise RefusedError("overloaded", detail, self._relief())
        index, device = min(enumerate(self.devices), key=lambda pair: pair[1].pixels)
        job = self._job(model, denoisers[index], image, timeout)
        if timeout is not None:
            seconds = device.seconds_before(job)
            if seconds > timeout:
                detail = f"the result would take {seconds:.1f} s, expected at most {timeout:g} s"
                raise RefusedError("too_late", detail, max(1.0, seconds - timeout))
        device.put(job)
        return job

    def _job(self, model: str, denoiser: Denoiser, image: Tensor, timeout: float | None) -> Job:
        now = monotonic()
        padded = tiling.pad(image, denoiser.geometry)
        height, width = padded.shape[-2:]
        small = height * width <= denoiser.interactive_window**2
        if small:
            self._last_small = now
        mixed = now - self._last_small < INTERACTIVE_SECONDS
        window = denoiser.interactive_window if mixed else denoiser.window
        cover = list(tiling.tiles(height, width, denoiser.geometry, window))
        return Job(model, denoiser, padded, cover, None if timeout is None else now + timeout)

    def _relief(self) -> float:
        """Seconds until the queue may have room."""
        seconds = [
            sum(job.left * job.denoiser.seconds_per_pixel for job in list(device.jobs))
            for device in self.devices
        ]
        return max(1.0, min(seconds) / 2)

    def drain(self) -> None:
        """Take on nothing more; what was taken on is finished."""
        self.draining = True

    def close(self) -> None:
        """Finish what was taken on, and end the threads."""
        self.drain()
        for device in self.devices:
            device.stop()
