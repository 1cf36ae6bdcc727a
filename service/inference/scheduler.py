"""The scheduler: it accepts or refuses pictures, cuts them into tiles, and queues them for a device.

The unit of work is a tile, not a request. A picture is cut into tiles that overlap by the network's context.
Tiles of all requests with the same model and shape are run together in batches. Each device has two *lanes*,
BRIEF and LONG, and several *lines* per lane: ``service.inference.lines`` has the picture, and ``lane`` forms
the batches. A request that is cancelled, or late, loses its tiles at once. An error fails its request alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from n2n_core.image import Pixels
from n2n_core.inference import tiling
from service.exceptions import RefusedError
from service.inference.lane import Device, Observer
from service.inference.tile_job import Denoiser, TileJob


class Scheduler:
    """Assigns waiting work to devices. It belongs to one event loop.

    Args:
        devices: number of devices; every model has as many denoisers.
        max_pixels: limit of the pixels that wait. A picture is accepted whatever its size if nothing waits.
        observer: is notified of the work.
    """

    def __init__(self, devices: int, max_pixels: int, observer: Observer) -> None:
        self.devices = [Device(observer) for _ in range(devices)]
        self.max_pixels = max_pixels
        self.draining = self._closed = False
        self._held = 0

    @property
    def pixels(self) -> int:
        """Number of pixels that wait."""
        return self._held + sum(device.pixels for device in self.devices)

    def hold(self, pixels: int) -> None:
        """Reserve room for pixels that will be submitted later.

        Raises:
            RefusedError: too much waits, or the service is stopping.
        """
        self._check_fits(pixels)
        self._held += pixels

    def release(self, pixels: int) -> None:
        """Give up reserved room, because the pixels are submitted now or will not be."""
        self._held -= pixels

    def check_room(self) -> None:
        """Raise ``RefusedError`` if not even the smallest picture would be accepted now."""
        if self.draining:
            raise _stopping()
        if self.pixels >= self.max_pixels:
            detail = f"{self.pixels} pixels are waiting, expected fewer than {self.max_pixels}"
            raise RefusedError("overloaded", detail, self._seconds_until_room())

    def submit_all(
        self,
        model: str,
        denoisers: Sequence[Denoiser],
        images: Sequence[Pixels],
        timeout: float | None,
        exact: bool = False,
    ) -> list[TileJob]:
        """Queue ``(3, H, W)`` images in [0, 1], all of them or none.

        Args:
            denoisers: the model, once for each device.
            timeout: seconds from now within which the results are of use; None for any time.
            exact: the images have more than 8 bits a channel.

        Raises:
            RefusedError: too much waits, the service is stopping, or a result would take longer than
                ``timeout``.
        """
        self._check_fits(sum(image.shape[1] * image.shape[2] for image in images))
        jobs: list[TileJob] = []
        try:
            for image in images:
                jobs.append(self._submit(model, denoisers, image, timeout, exact))
        except RefusedError:
            for job in jobs:
                job.result.cancel()
            raise
        return jobs

    def drain(self) -> None:
        """Admit no further requests. Pictures of admitted requests are still accepted."""
        self.draining = True

    async def close(self) -> None:
        """Accept nothing more, and finish what was accepted."""
        self.draining = self._closed = True
        for device in self.devices:
            await device.finish()

    def _check_fits(self, pixels: int) -> None:
        """Raise ``RefusedError`` if so many more pixels are too many. If nothing waits, they never are."""
        if self._closed:
            raise _stopping()
        waiting = self.pixels
        if waiting and waiting + pixels > self.max_pixels:
            most = f"{self.max_pixels} with this picture's {pixels}"
            detail = f"{waiting} pixels are waiting, expected at most {most}"
            raise RefusedError("overloaded", detail, self._seconds_until_room())

    def _submit(
        self,
        model: str,
        denoisers: Sequence[Denoiser],
        image: Pixels,
        timeout: float | None,
        exact: bool,
    ) -> TileJob:
        index, device = min(enumerate(self.devices), key=lambda pair: pair[1].pixels)
        job = _tile_job(model, denoisers[index], image, timeout, exact)
        lane = device.lane(job)
        if timeout is not None:
            seconds = lane.seconds_until_done(job)
            if seconds > timeout:
                detail = f"the result would take {seconds:.1f} s, expected at most {timeout:g} s"
                raise RefusedError("too_late", detail, max(1.0, seconds - timeout))
        lane.put(job)
        return job

    def _seconds_until_room(self) -> float:
        """Return the time after which the queue of a device is half as long, at least a second."""
        return max(1.0, min(device.seconds for device in self.devices) / 2)


def _stopping() -> RefusedError:
    return RefusedError("stopping", "the service is stopping, try another one", 1)


def _tile_job(model: str, denoiser: Denoiser, image: Pixels, timeout: float | None, exact: bool) -> TileJob:
    padded = tiling.pad(image, denoiser.geometry)
    height, width = padded.shape[-2:]
    cover = list(tiling.tiles(height, width, denoiser.geometry, denoiser.throughput.window))
    deadline = None if timeout is None else monotonic() + timeout
    return TileJob(model, denoiser, padded, cover, deadline, exact)
