"""Treat Ctrl-C as a request to stop."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self


class StopOnInterrupt:
    """Sets ``requested`` at the first SIGINT within the block. A second one interrupts immediately."""

    def __enter__(self) -> Self:
        self.requested = False
        self.previous = signal.signal(signal.SIGINT, self)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.previous)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
