"""One picture on its way through a device, tile by tile."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

import numpy as np

from n2n_core.image import Pixels
from n2n_core.inference.tiling import Geometry, Pace, Tile
from service.inference.device_process import Cores

AGEING = 0.25
"""Seconds of work that a request is forgiven for each second that it has waited."""


class Denoiser(Protocol):
    """A model on a device, as far as the scheduler knows it."""

    @property
    def geometry(self) -> Geometry:
        """Of its network."""
        ...

    @property
    def pace(self) -> Pace:
        """How fast it is, and on how much at once."""
        ...

    @property
    def lines(self) -> int:
        """Batches of large requests that the device runs at once."""
        ...

    async def run(self, batch: Pixels, line: int, cores: Cores, exact: bool) -> Pixels:
        """``(N, 3, H, W)`` tiles through the network, on a line to the device that is free.

        ``exact`` is for more than 8 bits a channel: no half precision.

        Raises:
            MemoryError: the device has no memory for so many.
        """
        ...


@dataclass(eq=False)
class Job:
    """One picture on its way through a device.

    Args:
        model: the model's id, for the observer.
        denoiser: its network on the device.
        image: ``(3, H, W)``, padded to a size that the network allows.
        cover: the tiles, of which ``taken`` have been given to the device.
        deadline: on the clock of ``monotonic``; None for none.
        exact: no half precision, on devices that have it.
        result: gets ``(3, H, W)`` floats, of the padded size; cancelling it drops the tiles.
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
        self.key = (self.denoiser, self.shape, self.exact)

    @property
    def left(self) -> int:
        """Pixels still to run."""
        return (len(self.cover) - self.taken) * self.tile_pixels

    def urgency(self, now: float) -> float:
        """Seconds of work left, less what waiting has earned: the smallest goes first."""
        return self.seconds - AGEING * (now - self.arrived)

    @property
    def seconds(self) -> float:
        """What the rest is expected to take."""
        return self.left * self.denoiser.pace.seconds_per_pixel

    def take(self, count: int) -> list[tuple[Job, Tile]]:
        """The next tiles."""
        tiles = self.cover[self.taken : self.taken + count]
        self.taken += len(tiles)
        return [(self, tile) for tile in tiles]

    def read(self, tile: Tile) -> Pixels:
        """What the network reads for ``tile``."""
        return self.image if self.whole else self.image[:, tile.window[0], tile.window[1]]

    def write(self, tile: Tile, result: Pixels) -> None:
        """Put the exact part of a tile's result into place; the last one settles the job."""
        if self.whole:
            self.output = result
        else:
            inner = result[:, tile.inner[0], tile.inner[1]]
            self.output[:, tile.place[0], tile.place[1]] = inner
        self.written += 1
        if self.written == len(self.cover) and not self.result.done():
            self.result.set_result(self.output)
