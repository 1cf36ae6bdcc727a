"""One picture on its way through a device, tile by tile."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import numpy as np

from n2n_core.image import Pixels
from n2n_core.inference.tiling import Geometry, Throughput, Tile
from service.inference.lines import Cores

AGEING = 0.25
"""Seconds of work by which a request's urgency rises for each second that it has waited."""


class Denoiser(Protocol):
    """A model on a device, as the scheduler sees it."""

    @property
    def geometry(self) -> Geometry:
        """Geometry of the network."""
        ...

    @property
    def throughput(self) -> Throughput:
        """Speed of the model, and the tile and batch sizes that reach it."""
        ...

    @property
    def lines(self) -> int:
        """Batches of one lane that the device runs at once."""
        ...

    async def run(self, batch: Pixels, line: int, cores: Cores, exact: bool) -> Pixels:
        """Run ``(N, 3, H, W)`` tiles through the network, on a line that is free.

        ``exact`` is for pictures of more than 8 bits a channel: it excludes half precision.

        Raises:
            MemoryError: the device has not enough memory for the batch.
        """
        ...


@dataclass(eq=False)
class TileJob:
    """One picture on its way through a device.

    Args:
        model: id of the model, for the observer.
        denoiser: the model on the device.
        image: ``(3, H, W)``, padded to a size that the network allows.
        cover: tiles that cover the image. The first ``taken`` have been given to the device.
        deadline: on the clock of ``monotonic``; None for none.
        exact: no half precision, on devices that have it.
        result: becomes ``(3, H, W)`` floats of the padded size. Cancelling it drops the remaining tiles.
    """

    model: str
    denoiser: Denoiser
    image: Pixels
    cover: list[Tile]
    deadline: float | None
    exact: bool = False
    arrived: float = field(default_factory=monotonic)
    started: float | None = None
    result: Future[Pixels] = field(default_factory=lambda: get_running_loop().create_future())
    taken: int = 0
    written: int = 0

    def __post_init__(self) -> None:
        self.whole = len(self.cover) == 1
        self.output = self.image if self.whole else np.empty_like(self.image)
        rows, columns = self.cover[0].window
        self.shape = (rows.stop - rows.start, columns.stop - columns.start)
        self.tile_pixels: int = self.shape[0] * self.shape[1]
        self.batch_key = (self.denoiser, self.shape, self.exact)
        """Jobs with equal keys can share a batch."""

    @property
    def pixels_left(self) -> int:
        """Pixels of the tiles that have not been given to the device."""
        return (len(self.cover) - self.taken) * self.tile_pixels

    @property
    def seconds_left(self) -> float:
        """Expected time for the tiles that have not been given to the device."""
        return self.pixels_left * self.denoiser.throughput.seconds_per_pixel

    def priority(self, now: float) -> float:
        """Seconds of work left, minus a credit for the time waited. The smallest goes first."""
        return self.seconds_left - AGEING * (now - self.arrived)

    def take(self, count: int) -> list[tuple[TileJob, Tile]]:
        """Take up to ``count`` further tiles."""
        tiles = self.cover[self.taken : self.taken + count]
        self.taken += len(tiles)
        return [(self, tile) for tile in tiles]

    def read(self, tile: Tile) -> Pixels:
        """Return the network's input for a tile."""
        return self.image if self.whole else self.image[:, tile.window[0], tile.window[1]]

    def write(self, tile: Tile, result: Pixels) -> None:
        """Put the exact part of a tile's result into the output. The last tile completes the job."""
        if self.whole:
            self.output = result
        else:
            inner = result[:, tile.inner[0], tile.inner[1]]
            self.output[:, tile.place[0], tile.place[1]] = inner
        self.written += 1
        if self.written == len(self.cover) and not self.result.done():
            self.result.set_result(self.output)
