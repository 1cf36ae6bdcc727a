"""Boxes: files in memory through which two processes pass large values without a pipe.

A value is pickled with its large buffers (numpy arrays, ``PickleBuffer``) apart, and all of it is written to
the file. What goes over the connection is only the list of sizes, which never fills it: neither side can
make the other one wait, even if it is stopped.
"""

import mmap
import os
import pickle
import weakref
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Self

from service.processes.memory_file import anonymous_file

Raw = pickle.PickleBuffer
"""Wraps bytes that are to go through a box apart from the pickle; they arrive as a memoryview."""


class Box:
    """One direction between two processes. The writer waits until the reader is done with the last value.

    Args:
        descriptor: of the file, which both processes have open. It is closed with the box.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    @classmethod
    def new(cls) -> Self:
        """Make a box with a file of its own."""
        with anonymous_file() as file:
            return cls(os.dup(file.fileno()))

    def put(self, value: object) -> list[int]:
        """Write a value in the place of the last one, and return the sizes for ``take``.

        Raises:
            MemoryError: there is no room for it.
        """
        buffers: list[pickle.PickleBuffer] = []
        stream = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        pieces = [memoryview(stream), *(buffer.raw() for buffer in buffers)]
        self.empty()
        place = 0
        try:
            for piece in pieces:
                for begin in range(0, len(piece), _MOST):
                    part = piece[begin : begin + _MOST]
                    while part:
                        written = os.pwrite(self.descriptor, part, place)
                        place, part = place + written, part[written:]
        except OSError as error:
            raise MemoryError(str(error)) from error
        return [len(piece) for piece in pieces]

    def take(self, sizes: Sequence[int]) -> Any:
        """Return the value. Its arrays lie in the box: they are gone when the box is emptied or filled."""
        content = memoryview(mmap.mmap(self.descriptor, sum(sizes)))
        parts = [content[begin:end] for begin, end in pairwise(accumulate(sizes, initial=0))]
        return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301 (written by our own process)

    def empty(self) -> None:
        """Free the memory of the last value."""
        os.ftruncate(self.descriptor, 0)


_MOST = 2**30
"""Bytes of one write; Linux writes no more than 2 GiB at once."""
