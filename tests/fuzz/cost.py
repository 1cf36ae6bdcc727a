"""What reading a file costs: CPU seconds and peak bytes, and bounds of both for each kB of the file."""

import gc
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

KILO = 1024


@dataclass(frozen=True)
class Cost:
    """What one file cost.

    Args:
        size: bytes of the file.
        seconds: CPU time of this thread.
        peak: most bytes that were taken at one time, as far as Python and numpy know.
    """

    size: int
    seconds: float
    peak: int

    @property
    def kilobytes(self) -> float:
        return self.size / KILO

    def __str__(self) -> str:
        kilos, milliseconds, peak = max(self.kilobytes, 1), self.seconds * 1000, self.peak / KILO
        return (
            f"{self.size} bytes: {milliseconds:.1f} ms of CPU ({milliseconds / kilos:.2f} a kB),"
            f" {peak:.0f} kB at most ({peak / kilos:.1f} a kB)"
        )


@dataclass(frozen=True)
class Bound:
    """Most that a file may cost: something for any file, and something for each of its bytes."""

    seconds: float
    seconds_per_kilobyte: float
    peak: int
    peak_per_byte: float

    def share(self, cost: Cost) -> float:
        """The part of the bound that was used; more than 1 breaks it."""
        seconds = self.seconds + self.seconds_per_kilobyte * cost.kilobytes
        return max(cost.seconds / seconds, cost.peak / (self.peak + self.peak_per_byte * cost.size))


def measured(work: Callable[[bytes], object], data: bytes) -> Cost:
    """Run ``work`` twice: for the time, and for the memory, as to follow that takes time, too.

    Python's garbage collector waits: it would also look through what the tests before have left.
    """
    gc.disable()
    try:
        began = time.thread_time()
        work(data)
        seconds = time.thread_time() - began
    finally:
        gc.enable()
    tracemalloc.start()
    try:
        work(data)
        return Cost(len(data), seconds, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
