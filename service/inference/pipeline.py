"""What one picture goes through: decoded, denoised tile by tile, and encoded."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic, perf_counter
from typing import ParamSpec, Self, TypeVar

import numpy as np

from n2n_core import image
from n2n_core.errors import ImageTooLargeError, TooManyPagesError
from n2n_core.image import MAX_PAGES, Compression, Picture, Pixels
from n2n_core.inference.blend import blend
from n2n_core.inference.contrast_stretch import Stretch
from n2n_core.inference.self_ensemble import SYMMETRIES, Ensemble, combine
from service.inference.loaded_models import ServedModel
from service.inference.scheduler import Scheduler
from service.inference.tile_job import TileJob
from service.telemetry import Telemetry

P = ParamSpec("P")
T = TypeVar("T")
TINY_BYTES, TINY_PIXELS, TINY_PAGES = 2**14, 2**12, 4
"""Up to here a codec takes less time than handing the picture to another thread and back."""


@dataclass
class Timing:
    """Milliseconds that each stage of one request took; ``measure`` is all that only some ask for."""

    decode: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    encode: float = 0.0
    measure: float | None = None

    def header(self) -> str:
        """The value of a ``Server-Timing`` header."""
        return ", ".join(f"{name};dur={value:.1f}" for name, value in vars(self).items() if value is not None)


@dataclass(frozen=True)
class Run:
    """How a picture was cut and where it ran: of a self-ensemble, the first one's window, and all tiles."""

    window: tuple[int, int]
    tiles: int
    devices: tuple[str, ...]

    @classmethod
    def of(cls, jobs: Sequence[TileJob], served: ServedModel) -> Self:
        """What is to be told of the jobs of one request."""
        used = {id(job.denoiser) for job in jobs}
        devices = tuple(each.process.name for each in served.denoisers if id(each) in used)
        return cls(jobs[0].shape, sum(len(job.cover) for job in jobs), devices)


@dataclass(frozen=True)
class Denoised:
    """A picture without noise; ``spread``, ``(1, H, W)``, is the self-ensemble's, ``stretch`` a gain."""

    picture: Picture
    run: Run
    spread: Pixels | None = None
    stretch: float | None = None


class Worker:
    """Codecs in threads of their own, away from the event loop, and the scheduler of tiles."""

    def __init__(
        self,
        max_pixels: int,
        scheduler: Scheduler,
        telemetry: Telemetry,
        max_pages: int = MAX_PAGES,
        codec_threads: int = 4,
    ) -> None:
        self.max_pixels, self.max_pages = max_pixels, max_pages
        self.scheduler, self.telemetry = scheduler, telemetry
        self._codecs = ThreadPoolExecutor(codec_threads, thread_name_prefix="codec")
        self._measuring = ThreadPoolExecutor(1, thread_name_prefix="measure")
        telemetry.watch(lambda: scheduler.pixels)

    async def decode(self, data: bytes, timing: Timing, times: int = 1) -> list[Picture]:
        """Read an image file's pages, each of whose pixels counts ``times``; see ``image.decode_pages``."""
        began = perf_counter()
        most = self.max_pixels // times
        pages = _decode_tiny(data, most, self.max_pages) if len(data) <= TINY_BYTES else None
        try:
            if pages is None:
                pages = await self._run(image.decode_pages, data, most, self.max_pages)
        except TooManyPagesError as error:
            raise TooManyPagesError(f"{error} (N2N_MAX_FRAMES)") from error
        except ImageTooLargeError as error:
            more = f": each counts {times} times with self_ensemble" if times > 1 else ""
            raise ImageTooLargeError(f"{error}{more}") from error
        timing.decode += _since(began)
        self.telemetry.codec("decode", timing.decode / 1000)
        return pages

    async def denoise(
        self,
        served: ServedModel,
        picture: Picture,
        timing: Timing,
        timeout: float | None = None,
        strength: float = 1.0,
        self_ensemble: bool = False,
    ) -> Denoised:
        """Denoise a picture; if the caller is cancelled, so is what remains of the work.

        Args:
            timeout: seconds.
            strength: 0 gives the picture as it is, 1 the network's result.
            self_ensemble: the result is the mean over the eight flips and turns.

        Raises:
            RefusedError: see ``Scheduler.submit_all``.
            DeadlineError: ``timeout`` seconds were over first.
        """
        noisy, is_deep = picture.colour, picture.bits > 8
        stretch = await self.measure(timing, Stretch.of, noisy) if served.is_blind and is_deep else None
        seen = await self.measure(timing, stretch) if stretch else noisy
        images = [symmetry(seen) for symmetry in SYMMETRIES] if self_ensemble else [seen]
        outputs, run = await self._infer(served, images, timing, timeout, is_deep)
        colour, spread = outputs[0], None
        if self_ensemble:
            ensemble = await self.measure(timing, _combined, outputs)
            colour, spread = ensemble.image, ensemble.spread
        if stretch:
            colour = await self.measure(timing, stretch.undo, colour)
            spread = spread if spread is None else await self.measure(timing, stretch.undo_spread, spread)
        if strength < 1:
            colour = await self.measure(timing, blend, noisy, colour, strength)
        return Denoised(picture.with_colour(colour), run, spread, stretch.gain if stretch else None)

    async def denoise_pages(
        self,
        served: ServedModel,
        pages: Sequence[Picture],
        timing: Timing,
        timeout: float,
        strength: float = 1.0,
        self_ensemble: bool = False,
    ) -> list[Denoised]:
        """Denoise the pages of one file, one after the other, in ``timeout`` seconds altogether.

        All are taken on, or none: those that wait for their turn count among the pixels that wait.
        """
        deadline, done = monotonic() + timeout, list[Denoised]()
        sizes = [page.colour[0].size * (len(SYMMETRIES) if self_ensemble else 1) for page in pages]
        sizes[0] = 0  # it does not wait
        self.scheduler.hold(sum(sizes))
        try:
            for page in pages:
                self.scheduler.release(sizes[len(done)])
                sizes[len(done)] = 0
                left = deadline - monotonic() if done else timeout
                done.append(await self.denoise(served, page, timing, left, strength, self_ensemble))
        finally:
            self.scheduler.release(sum(sizes))
        return done

    async def _infer(
        self,
        served: ServedModel,
        images: Sequence[Pixels],
        timing: Timing,
        timeout: float | None,
        exact: bool,
    ) -> tuple[list[Pixels], Run]:
        """The network's results for ``(3 or 1, H, W)`` images, of the same shapes."""
        coloured = [_colour(image) for image in images]
        jobs = self.scheduler.submit_all(served.entry.id, served.denoisers, coloured, timeout, exact)
        try:
            several = asyncio.gather(*(job.result for job in jobs)) if len(jobs) > 1 else None
            whole = await several if several else [await jobs[0].result]
        finally:
            for job in jobs:  # if one fails, nobody waits for the others; those done stay so
                job.result.cancel()
        first = jobs[0]
        queue = (min(job.started or job.arrived for job in jobs) - first.arrived) * 1000
        timing.queue += queue
        timing.inference += (monotonic() - first.arrived) * 1000 - queue
        return [_like(image, output) for image, output in zip(images, whole, strict=True)], Run.of(
            jobs, served
        )

    async def measure(
        self, timing: Timing, function: Callable[P, T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """What a function of whole pictures gives, away from the event loop, and from the codecs.

        One at a time: it may take seconds, and several times the picture's memory.
        """
        began = perf_counter()
        work = partial(function, *arguments, **options)
        result = await asyncio.get_running_loop().run_in_executor(self._measuring, work)
        timing.measure = (timing.measure or 0.0) + _since(began)
        return result

    async def encode(
        self, pages: Sequence[Picture], format: str, timing: Timing, compression: Compression = "fast"
    ) -> bytes:
        """Write an image file; see ``image.encode_pages`` for the errors."""
        began = perf_counter()
        if sum(page.colour[0].size for page in pages) <= TINY_PIXELS:
            data = image.encode_pages(pages, format, compression)
        else:
            data = await self._run(image.encode_pages, pages, format, compression)
        timing.encode = _since(began)
        self.telemetry.codec("encode", timing.encode / 1000)
        return data

    async def _run(self, codec: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._codecs, codec, *arguments)

    async def close(self) -> None:
        """Finish what was taken on."""
        await self.scheduler.close()
        self._codecs.shutdown(cancel_futures=True)
        self._measuring.shutdown(cancel_futures=True)


def _decode_tiny(data: bytes, most: int, most_pages: int) -> list[Picture] | None:
    """The pages, or None if they are large: a small file can hold such."""
    try:
        return image.decode_pages(data, min(TINY_PIXELS, most), min(TINY_PAGES, most_pages))
    except (ImageTooLargeError, TooManyPagesError):
        return None


def _colour(image: Pixels) -> Pixels:
    return np.broadcast_to(image, (3, *image.shape[1:])) if len(image) == 1 else image


def _like(image: Pixels, output: Pixels) -> Pixels:
    """A padded output ``(3, H', W')`` in the image's own size, and grey if that is."""
    output = output[:, : image.shape[1], : image.shape[2]]
    return output.mean(0, keepdims=True) if len(image) == 1 else output


def _combined(outputs: Sequence[Pixels]) -> Ensemble[Pixels]:
    """Of all eight symmetries' outputs."""
    return combine(symmetry.undo(output) for symmetry, output in zip(SYMMETRIES, outputs, strict=True))


def _since(began: float) -> float:
    return (perf_counter() - began) * 1000
