"""Where images are decoded, denoised and encoded, away from the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from torch import Tensor

from n2n_core import image, tiling
from n2n_core.image import Compression, Picture
from n2n_core.inference import Denoiser
from service.registry import ServedModel
from service.telemetry import Telemetry


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
    """One thread that runs networks, one image after the other, and some that run codecs."""

    def __init__(self, max_pixels: int, telemetry: Telemetry, codec_threads: int = 4) -> None:
        self.max_pixels, self.telemetry = max_pixels, telemetry
        self._device = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._codecs = ThreadPoolExecutor(codec_threads, thread_name_prefix="codec")

    async def decode(self, data: bytes, timing: Timing) -> Picture:
        """Read an image file; see ``image.decode`` for the errors."""
        began = perf_counter()
        loop = asyncio.get_running_loop()
        picture = await loop.run_in_executor(self._codecs, image.decode, data, self.max_pixels)
        timing.decode = _since(began)
        self.telemetry.codec("decode", timing.decode / 1000)
        return picture

    async def denoise(self, served: ServedModel, picture: Picture, timing: Timing) -> Picture:
        """Denoise a picture when the device is free."""
        queued = perf_counter()

        def run() -> Tensor:
            timing.queue = _since(queued)
            self.telemetry.waited(served.entry.id, timing.queue / 1000)
            began = perf_counter()
            colour = served.denoiser(picture.colour[None])[0].cpu()
            timing.inference = _since(began)
            tiles, pixels = _work(served.denoiser, picture)
            self.telemetry.batch(served.entry.id, tiles, pixels, timing.inference / 1000)
            return colour

        return picture.with_colour(await asyncio.get_running_loop().run_in_executor(self._device, run))

    async def encode(
        self, picture: Picture, format: str, timing: Timing, compression: Compression = "fast"
    ) -> bytes:
        """Write an image file; see ``image.encode`` for the errors."""
        began = perf_counter()
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(self._codecs, image.encode, picture, format, compression)
        timing.encode = _since(began)
        self.telemetry.codec("encode", timing.encode / 1000)
        return data

    def close(self) -> None:
        """Finish what runs, drop what waits."""
        self._device.shutdown(cancel_futures=True)
        self._codecs.shutdown(cancel_futures=True)


def _since(began: float) -> float:
    return (perf_counter() - began) * 1000


def _work(denoiser: Denoiser, picture: Picture) -> tuple[int, int]:
    """How many tiles the picture is cut into, and their pixels."""
    height, width = map(denoiser.geometry.fit, picture.colour.shape[-2:])
    tiles = list(tiling.tiles(height, width, denoiser.geometry, denoiser.window))
    return len(tiles), sum(tile.pixels for tile in tiles)
