"""Process image files: decode them, denoise them tile by tile, and encode the results."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic, perf_counter
from typing import ParamSpec, TypeVar

from n2n_core import image
from n2n_core.errors import ImageError, ImageTooLargeError, SeveralPagesError, TooManyPagesError
from n2n_core.image import MAX_PAGES, Compression, Picture, Pixels
from n2n_core.inference.enhance import Enhancement
from service.inference.codecs import Codecs
from service.inference.file_request import DenoisedPage, FileRequest, Outcome, R, TilingSummary, Timing
from service.inference.loaded_models import ServedModel
from service.inference.scheduler import Scheduler
from service.telemetry import Telemetry

P = ParamSpec("P")
T = TypeVar("T")
TINY_BYTES, TINY_PIXELS, TINY_PAGES = 2**14, 2**12, 4
"""Sizes up to which a codec takes less time than passing the picture to another process and back."""

INFLATED = (b"iCCP", b"iTXt", b"zTXt")
"""Chunks of PNGs of which a kilobyte becomes a megabyte: files that may have one are not read on the loop."""


class Pipeline:
    """Runs requests: codecs in processes, the network through the scheduler, and whole pictures in a thread.

    Args:
        max_pixels: bound of a file's pixels.
        scheduler: runs the network.
        telemetry: counts what codecs take.
        max_pages: bound of a file's pages.
        compression: of PNG files.
        codecs: files that are decoded and encoded at once, slow ones not counted.
    """

    def __init__(
        self,
        max_pixels: int,
        scheduler: Scheduler,
        telemetry: Telemetry,
        max_pages: int = MAX_PAGES,
        compression: Compression = "fast",
        codecs: int = 4,
    ) -> None:
        self.max_pixels, self.max_pages, self.compression = max_pixels, max_pages, compression
        self.scheduler, self.telemetry = scheduler, telemetry
        self._codecs = Codecs(codecs, max_pixels)
        self._measuring = ThreadPoolExecutor(1, thread_name_prefix="measure")
        telemetry.watch(lambda: scheduler.pixels)

    async def run(self, request: R) -> Outcome[R]:
        """Decode a file, check it, and denoise it page by page.

        If the caller is cancelled, so is the rest of the work.

        Raises:
            ImageError: a file cannot be read.
            RefusedError: see ``Scheduler.submit_all``.
            DeadlineError: the request's time was over first.
        """
        timing = Timing()
        reference = await self._decode_reference(request.reference, timing)
        pages = await self.decode(request.data, timing, request.images_per_page)
        request.check(pages, reference)
        return Outcome(request, await self.denoise_pages(request, pages, timing), reference, timing)

    async def _decode_reference(self, data: bytes | None, timing: Timing) -> Picture | None:
        if data is None:
            return None
        try:
            return single_page(await self.decode(data, timing))
        except ImageError as error:
            raise type(error)(f"the reference: {error}") from error

    async def decode(self, data: bytes, timing: Timing, times: int = 1) -> list[Picture]:
        """Read the pages of an image file; every pixel counts ``times``. See ``image.decode_pages``."""
        began = perf_counter()
        most = self.max_pixels // times
        pages = _decode_tiny(data, most, self.max_pages) if len(data) <= TINY_BYTES else None
        try:
            if pages is None:
                pages = await self._codecs.decode(data, most, self.max_pages)
        except TooManyPagesError as error:
            raise TooManyPagesError(f"{error} (N2N_MAX_FRAMES)") from error
        except ImageTooLargeError as error:
            more = f": each counts {times} times with self_ensemble" if times > 1 else ""
            raise ImageTooLargeError(f"{error}{more}") from error
        timing.decode += _since(began)
        self.telemetry.codec("decode", timing.decode / 1000)
        return pages

    async def denoise_pages(
        self, request: FileRequest, pages: Sequence[Picture], timing: Timing
    ) -> list[DenoisedPage]:
        """Denoise the pages of one file one after the other, all of them within the request's time.

        Either all are accepted or none: pages that wait for their turn count as waiting pixels.
        """
        deadline, done = monotonic() + request.timeout, list[DenoisedPage]()
        sizes = [page.colour[0].size * request.images_per_page for page in pages]
        sizes[0] = 0  # it does not wait
        self.scheduler.hold(sum(sizes))
        try:
            for page in pages:
                self.scheduler.release(sizes[len(done)])
                sizes[len(done)] = 0
                left = deadline - monotonic() if done else request.timeout
                done.append(await self._denoise(request, page, timing, left))
        finally:
            self.scheduler.release(sum(sizes))
        return done

    async def _denoise(
        self, request: FileRequest, picture: Picture, timing: Timing, timeout: float
    ) -> DenoisedPage:
        served = request.served
        enhancement = Enhancement(picture, served.is_blind, request.strength, request.self_ensemble)
        before, after = enhancement.before, enhancement.after
        images = await self.measure(timing, before) if enhancement.slow_before else before()
        outputs, tiling = await self._infer(served, images, timing, timeout, enhancement.is_deep)
        enhanced = await self.measure(timing, after, outputs) if enhancement.slow_after else after(outputs)
        return DenoisedPage(picture, enhanced, tiling)

    async def _infer(
        self,
        served: ServedModel,
        images: Sequence[Pixels],
        timing: Timing,
        timeout: float,
        exact: bool,
    ) -> tuple[list[Pixels], TilingSummary]:
        """Run the network on ``(3, H, W)`` images; returns results of the same shapes."""
        jobs = self.scheduler.submit_all(served.entry.id, served.denoisers, images, timeout, exact)
        try:
            several = asyncio.gather(*(job.result for job in jobs)) if len(jobs) > 1 else None
            whole = await several if several else [await jobs[0].result]
        finally:
            for job in jobs:  # if one fails, nobody needs the others; a result that is there stays
                job.result.cancel()
        first = jobs[0]
        queue = (min(job.started or job.arrived for job in jobs) - first.arrived) * 1000
        timing.queue += queue
        timing.inference += (monotonic() - first.arrived) * 1000 - queue
        pairs = zip(images, whole, strict=True)
        outputs = [output[:, : image.shape[1], : image.shape[2]] for image, output in pairs]  # unpadded
        return outputs, TilingSummary.of(jobs, served)

    async def measure(
        self, timing: Timing, function: Callable[P, T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """Call a function of whole pictures in the measuring thread.

        It has its own thread, and runs one call at a time: a call may take seconds, and several times
        the picture's memory.
        """
        began = perf_counter()
        work = partial(function, *arguments, **options)
        result = await asyncio.get_running_loop().run_in_executor(self._measuring, work)
        timing.measure = (timing.measure or 0.0) + _since(began)
        return result

    async def encode(self, pages: Sequence[Picture], format: str, timing: Timing) -> bytes:
        """Write an image file; see ``image.encode_pages`` for the errors."""
        began = perf_counter()
        if sum(page.colour[0].size for page in pages) <= TINY_PIXELS:
            data = image.encode_pages(pages, format, self.compression)
        else:
            data = await self._codecs.encode(pages, format, self.compression)
        timing.encode = _since(began)
        self.telemetry.codec("encode", timing.encode / 1000)
        return data

    async def close(self) -> None:
        """Finish the accepted work, and stop the threads and processes."""
        await self.scheduler.close()
        self._codecs.close()
        self._measuring.shutdown(cancel_futures=True)


def single_page(pages: Sequence[Picture]) -> Picture:
    """Return the only page, to compare it with a reference.

    Raises:
        SeveralPagesError: there are several.
    """
    if len(pages) > 1:
        raise SeveralPagesError(
            f"the image has {len(pages)} pages, expected a single one to compare with a reference"
        )
    return pages[0]


def _decode_tiny(data: bytes, most: int, most_pages: int) -> list[Picture] | None:
    """Decode the pages; None if they are large, which a small file can be once decoded."""
    if any(kind in data for kind in INFLATED):
        return None
    try:
        return image.decode_pages(data, min(TINY_PIXELS, most), min(TINY_PAGES, most_pages))
    except (ImageTooLargeError, TooManyPagesError):
        return None


def _since(began: float) -> float:
    return (perf_counter() - began) * 1000
