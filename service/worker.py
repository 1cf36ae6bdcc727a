"""What one picture goes through: decoded, denoised tile by tile, and encoded."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import TypeVar

import numpy as np

from n2n_core import image
from n2n_core.errors import ImageTooLargeError
from n2n_core.image import Compression, Picture
from service.batching import Scheduler
from service.registry import ServedModel
from service.telemetry import Telemetry

T = TypeVar("T")
TINY_BYTES, TINY_PIXELS = 2**14, 2**12
"""Up to here a codec takes less time than handing the picture to another thread and back."""


@dataclass
class Timing:
    """Milliseconds that each stage of one request took."""

    decode: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    encode: float = 0.0

    def header(self) -> str:
        """The value of a ``Server-Timing`` header."""
        return ", ".join(f"{name};dur={value:.1f}" for name, value in vars(self).items())


class Worker:
    """Codecs in threads of their own, away from the event loop, and the scheduler of tiles."""

    def __init__(
        self, max_pixels: int, scheduler: Scheduler, telemetry: Telemetry, codec_threads: int = 4
    ) -> None:
        self.max_pixels, self.scheduler, self.telemetry = max_pixels, scheduler, telemetry
        self._codecs = ThreadPoolExecutor(codec_threads, thread_name_prefix="codec")
        telemetry.watch(lambda: scheduler.pixels)

    async def decode(self, data: bytes, timing: Timing) -> Picture:
        """Read an image file; see ``image.decode`` for the errors."""
        began = perf_counter()
        picture = self._decode_tiny(data) if len(data) <= TINY_BYTES else None
        if picture is None:
            picture = await self._run(image.decode, data, self.max_pixels)
        timing.decode = _since(began)
        self.telemetry.codec("decode", timing.decode / 1000)
        return picture

    async def denoise(
        self, served: ServedModel, picture: Picture, timing: Timing, timeout: float | None = None
    ) -> Picture:
        """Denoise a picture; if the caller is cancelled, so is what remains of the work.

        Raises:
            RefusedError: see ``Scheduler.submit``.
            DeadlineError: ``timeout`` seconds were over first.
        """
        grey = len(picture.colour) == 1
        colour = np.broadcast_to(picture.colour, (3, *picture.colour.shape[1:])) if grey else picture.colour
        job = self.scheduler.submit(served.entry.id, served.denoisers, colour, timeout)
        output = await job.result
        timing.queue = ((job.started or job.arrived) - job.arrived) * 1000
        timing.inference = (monotonic() - job.arrived) * 1000 - timing.queue
        output = output[:, : colour.shape[1], : colour.shape[2]]
        return picture.with_colour(output.mean(0, keepdims=True) if grey else output)

    async def encode(
        self, picture: Picture, format: str, timing: Timing, compression: Compression = "fast"
    ) -> bytes:
        """Write an image file; see ``image.encode`` for the errors."""
        began = perf_counter()
        if picture.colour[0].size <= TINY_PIXELS:
            data = image.encode(picture, format, compression)
        else:
            data = await self._run(image.encode, picture, format, compression)
        timing.encode = _since(began)
        self.telemetry.codec("encode", timing.encode / 1000)
        return data

    def _decode_tiny(self, data: bytes) -> Picture | None:
        """The picture, or None if it is large: a small file can hold one."""
        try:
            return image.decode(data, min(TINY_PIXELS, self.max_pixels))
        except ImageTooLargeError:
            return None

    async def _run(self, codec: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._codecs, codec, *arguments)

    async def close(self) -> None:
        """Finish what was taken on."""
        await self.scheduler.close()
        self._codecs.shutdown(cancel_futures=True)


def _since(began: float) -> float:
    return (perf_counter() - began) * 1000
