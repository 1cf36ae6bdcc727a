"""CUDA graphs of a network, one for each batch shape that is used repeatedly.

For a small batch, launching the kernels one by one takes the host longer than running them takes the device;
a graph launches all of them at once. A graph is recorded for one shape, on memory that stays in place. So
batches are padded to buckets of 1, 2, 4, 8, ... tiles that share a graph. Batches that are too large to gain,
and shapes seen only once, such as photos of odd sizes, run without a graph.

Not thread-safe: one thread at a time, on one stream.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Generic, TypeVar

import torch
from torch import Tensor

from n2n_core.models.torch_modules import Network

GRAPHS = 32
"""Graphs kept per network."""

GRAPH_PIXELS = 2**19
"""Largest bucket in pixels: beyond it, a kernel takes longer than the launch of the next one."""

WARM_UPS = 3
"""Runs before a recording, in which libraries choose their kernels and allocate memory."""

Act = Callable[[], None]
K = TypeVar("K")
V = TypeVar("V")
log = logging.getLogger("n2n.cuda")
_recording = Lock()  # CUDA allows one recording at a time per process


def bucket(count: int) -> int:
    """Return the smallest power of two that is at least ``count``.

    >>> [bucket(count) for count in (1, 2, 3, 8, 9)]
    [1, 2, 4, 8, 16]
    """
    return 1 << (count - 1).bit_length()


class Recent(Generic[K, V]):
    """A least-recently-used cache of at most ``size`` values."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value and mark it as used; None if there is none."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Store ``value``, and drop the least recently used one if there are too many."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self.size:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Drop all values."""
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)


class Recorder:
    """Records CUDA graphs that share one memory pool.

    Sharing is safe: graphs run one after the other, and nothing in the pool is used after a run.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, act: Act) -> Act:
        """Return a function that launches what ``act`` launches, on the current stream.

        Raises:
            RuntimeError: ``act`` cannot be recorded, or memory runs out.
        """
        graph = torch.cuda.CUDAGraph()
        with _recording, torch.cuda.device(self.device):
            current = torch.cuda.current_stream()
            self._stream.wait_stream(current)
            try:
                with torch.cuda.stream(self._stream):
                    for _ in range(WARM_UPS):
                        act()
            finally:  # the tensors that ``act`` uses may be freed next
                current.wait_stream(self._stream)
            # "thread_local": CUDA calls of other threads do not disturb the recording.
            with torch.cuda.graph(graph, self._pool, self._stream, "thread_local"):
                act()
        return graph.replay


class Static:
    """A network with fixed input and output memory, for batches up to the size of a bucket."""

    def __init__(self, network: Network, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device):
        self.network = network
        self.input = torch.zeros(shape, dtype=dtype, device=device)
        self.output = torch.empty_like(self.input)
        self.play: Act = self.step

    def step(self) -> None:
        """Run the network from the input memory to the output memory."""
        self.output.copy_(self.network(self.input.contiguous(memory_format=torch.channels_last)))

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the results of ``batch`` as a copy. Input rows beyond the batch keep their old values."""
        self.input[: len(batch)].copy_(batch)
        self.play()
        return self.output[: len(batch)].clone()


class Graphs:
    """Runs a network on ``(N, 3, H, W)`` batches on its device, with CUDA graphs where they pay off.

    Args:
        network: maps floats of type ``dtype`` on ``device``, channels last, to the same.
        record: makes a graph of a function, and returns a function that replays it.
        size: number of graphs to keep, which bounds their memory.
    """

    def __init__(
        self,
        network: Network,
        dtype: torch.dtype,
        device: torch.device,
        record: Callable[[Act], Act],
        size: int = GRAPHS,
    ) -> None:
        self.network, self.dtype, self.device, self.record = network, dtype, device, record
        self.enabled = True
        self._seen: Recent[tuple[int, ...], bool] = Recent(16 * size)
        self._kept: Recent[tuple[int, ...], Static] = Recent(size)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return the results, of type ``dtype`` and contiguous."""
        graph = self._graph((bucket(len(batch)), *batch.shape[1:]))
        if graph is not None:
            return graph(batch)
        output: Tensor = self.network(batch.to(self.dtype).contiguous(memory_format=torch.channels_last))
        return output.contiguous()

    def _graph(self, shape: tuple[int, ...]) -> Static | None:
        """Return the graph of a bucket; None if it would not pay off, or cannot be recorded."""
        if not self.enabled or prod(shape) > 3 * GRAPH_PIXELS:
            return None
        graph = self._kept.get(shape)
        if graph is None and self._seen.get(shape):
            graph = self._recorded(shape)
        self._seen.put(shape, True)
        return graph

    def _recorded(self, shape: tuple[int, ...]) -> Static | None:
        try:
            graph = Static(self.network, shape, self.dtype, self.device)
            graph.play = self.record(graph.step)
        except RuntimeError as error:
            log.warning("the network goes on without CUDA graphs: recording one failed (%s)", error)
            self.enabled = False
            self._kept.clear()
            return None
        self._kept.put(shape, graph)
        return graph
