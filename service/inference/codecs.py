"""Decoding and encoding of image files in processes that can be killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from n2n_core import image
from n2n_core.errors import ImageError, ImageTooLargeError
from n2n_core.image import Compression, Decoded, Picture
from service.processes.box import Raw
from service.processes.worker_pool import CostlyError, CrashedError, WorkerPool

BASE_BYTES, BYTES_A_PIXEL = 2**28, 64
"""Memory that a worker may take: for the process itself, and for each pixel of the largest picture. Decoding
16-bit RGBA takes the most."""


class Codecs:
    """Reads and writes image files in workers.

    Args:
        at_once: files at the same time, slow ones not counted.
        max_pixels: of the largest file, which bounds the memory.
    """

    def __init__(self, at_once: int, max_pixels: int) -> None:
        self.workers = WorkerPool(at_once, BASE_BYTES + BYTES_A_PIXEL * max_pixels)

    async def decode(self, data: bytes, most: int, most_pages: int) -> list[Picture]:
        """Read the pages of a file; see ``image.read_pages``.

        Raises:
            ImageError: also if the file takes too much time or memory, or crashes its decoder.
        """
        arguments = (Raw(data), most, most_pages)
        pages: list[Picture] = await self._run("read", _read, *arguments, size=len(data), copy=_pictures)
        return pages

    async def encode(self, pages: Sequence[Picture], format: str, compression: Compression) -> bytes:
        """Write a file; see ``image.encode_pages`` for the errors, and ``decode``."""
        size = sum(page.colour.nbytes for page in pages)
        data: bytes = await self._run(
            "write", image.encode_pages, list(pages), format, compression, size=size
        )
        return data

    async def _run(self, verb: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            return await self.workers.run(function, *arguments, **options)
        except CostlyError as error:
            seconds = f"expected at most {self.workers.seconds:g}"
            raise ImageTooLargeError(
                f"the image takes too many seconds of processor time to {verb}, {seconds}"
            ) from error
        except MemoryError as error:
            most = f"expected at most {self.workers.memory} bytes"
            raise ImageTooLargeError(f"the image takes too much memory to {verb}, {most}") from error
        except CrashedError as error:
            raise ImageError(f"the image is damaged: the process that was to {verb} it crashed") from error

    def close(self) -> None:
        """Kill the workers."""
        self.workers.close()


def _read(data: memoryview, most: int, most_pages: int) -> list[Decoded]:
    """Read the pages as samples of the file's own depth: they take a quarter of the room of floats."""
    return [
        replace(page, colour=np.ascontiguousarray(page.colour))
        for page in image.read_pages(bytes(data), most, most_pages)
    ]


def _pictures(pages: list[Decoded]) -> list[Picture]:
    """Convert the samples to floats, and copy what else lies in the worker's memory."""
    pictures = [page.picture() for page in pages]
    return [each if each.alpha is None else replace(each, alpha=each.alpha.copy()) for each in pictures]
