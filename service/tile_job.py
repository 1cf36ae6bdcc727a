"""One picture on its way through a device, tile by tile."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic

import torch
from torch import Tensor

from n2n_core.inference import Denoiser
from n2n_core.tiling import Tile

AGEING = 0.25
"""Seconds of work that a request is forgiven for each second that it has waited."""


@dataclass(eq=False)
class Job:
    """One picture on its way through a device.

    Args:
        model: the model's id, for the observer.
        denoiser: its network on the device.
        image: ``(3, H, W)``, padded to a size that the network allows.
        cover: the tiles, of which ``taken`` have been given to the device.
        deadline: on the clock of ``monotonic``; None for none.
        result: gets ``(3, H, W)`` floats, of the padded size; cancelling it drops the tiles.
    """

    model: str
    denoiser: Denoiser
    image: Tensor
    cover: list[Tile]
    deadline: float | None
    arrived: float = field(default_factory=monotonic)
    started: float | None = None
    result: Future[Tensor] = field(default_factory=Future)
    taken: int = 0
    written: int = 0

    def __post_init__(self) -> None:
        self.whole = len(self.cover) == 1
        self.output = self.image if self.whole else torch.empty_like(self.image)
        rows, columns = self.cover[0].window
        self.shape = (rows.stop - rows.start, columns.stop - columns.start)
        self.tile_pixels: int = self.shape[0] * self.shape[1]
        self.key = (self.denoiser, self.shape)

    @property
    def left(self) -> int:
        """Pixels still to run."""
        return (len(self.cover) - self.taken) * self.tile_pixels

    def urgency(self, now: float) -> float:
        """Seconds of work left, less what waiting has earned: the smallest goes first."""
        return self.left * self.denoiser.seconds_per_pixel - AGEING * (now - self.arrived)

    def take(self, count: int) -> list[tuple[Job, Tile]]:
        """The next tiles."""
        tiles = self.cover[self.taken : self.taken + count]
        self.taken += len(tiles)
        return [(self, tile) for tile in tiles]

    def read(self, tile: Tile) -> Tensor:
        """What the network reads for ``tile``."""
        return self.image if self.whole else self.image[:, tile.window[0], tile.window[1]]

    def write(self, tile: Tile, result: Tensor) -> None:
        """Put the exact part of a tile's result into place; the last one settles the job."""
        if self.whole:
            self.output = result
        else:
            inner = result[:, tile.inner[0], tile.inner[1]]
            self.output[:, tile.place[0], tile.place[1]] = inner
        self.written += 1
        if self.written == len(self.cover) and not self.result.done():
            settle(self.result.set_result, self.output)


def settle(setter: Callable[..., None], value: object) -> None:
    """Set a future's outcome, unless its owner cancels it in this very moment."""
    with suppress(InvalidStateError):
        setter(value)
