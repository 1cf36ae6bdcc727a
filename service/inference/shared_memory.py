"""Memory that the service and a device's process share: batches go in and results come out uncopied."""

import mmap
import os
from math import prod

import numpy as np

from n2n_core.image import Pixels

LINE_FLOATS = 2**22
"""Size of a batch, and of its result, on one line: several times what a CPU batch or a GPU tile needs."""


class BatchMemory:
    """Two arrays for each line that carries batches: its input and its output."""

    def __init__(self, descriptor: int, lines: int) -> None:
        size = 2 * lines * LINE_FLOATS * 4
        os.ftruncate(descriptor, size)
        self._floats = np.frombuffer(mmap.mmap(descriptor, size), np.float32)

    def views(self, line: int, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
        """Return a line's input and output as arrays of ``shape``.

        Raises:
            MemoryError: the batch is larger than the line's part.
        """
        begin, size = line * 2 * LINE_FLOATS, prod(shape)
        if size > LINE_FLOATS:
            raise MemoryError(f"a batch has {size} values, at most {LINE_FLOATS} fit")
        parts = (self._floats[start : start + size] for start in (begin, begin + LINE_FLOATS))
        batch, result = (part.reshape(shape) for part in parts)
        return batch, result
