"""CUDA graphs of a network: one for each shape of batch that comes again.

The kernels of a small batch take the device less time than launching them one by one takes the
host; a graph launches them at once. It is recorded for one shape, on memory that stays in place.
So batches share graphs by buckets of 1, 2, 4, 8, ... tiles, and what is too large to gain, or has
come only once (photos of odd sizes), runs without.

Like the CUDA streams below it, this is for one thread at a time, on one stream.
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
"""Graphs that are kept for a network."""

GRAPH_PIXELS = 2**19
"""The largest bucket, in pixels: beyond, a kernel outlasts the launch of the next one."""

WARM_UPS = 3
"""Runs before a recording: libraries choose their kernels and their memory in them."""

Act = Callable[[], None]
K = TypeVar("K")
V = TypeVar("V")
log = logging.getLogger("n2n.cuda")
_recording = Lock()  # of the process: CUDA allows one recording at a time


def bucket(count: int) -> int:
    """The smallest power of two that is at least ``count``.

    >>> [bucket(count) for count in (1, 2, 3, 8, 9)]
    [1, 2, 4, 8, 16]
    """
    return 1 << (count - 1).bit_length()


class Recent(Generic[K, V]):
    """At most ``size`` values by key: the one that was used longest ago makes room."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, which counts as used; None if there is none."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep ``value``."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self.size:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)


class Recorder:
    """Makes a graph of what a function launches; all of them share one pool of memory.

    They may, as they run one after the other, and nothing that outlives a run lies in the pool.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, act: Act) -> Act:
        """A function that launches on the current stream what ``act`` would.

        Raises:
            RuntimeError: ``act`` does what a graph cannot hold, or memory runs out.
        """
        graph = torch.cuda.CUDAGraph()
        with _recording, torch.cuda.device(self.device):
            current = torch.cuda.current_stream()
            self._stream.wait_stream(current)
            try:
                with torch.cuda.stream(self._stream):
                    for _ in range(WARM_UPS):
                        act()
            finally:  # what ``act`` works on may be freed next
                current.wait_stream(self._stream)
            # Other threads go on meanwhile: only this one's calls may spoil the recording.
            with torch.cuda.graph(graph, self._pool, self._stream, "thread_local"):
                act()
        return graph.replay


class Static:
    """A network on memory that stays in place, for up to as many tiles as its bucket has."""

    def __init__(self, network: Network, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device):
        self.network = network
        self.input = torch.zeros(shape, dtype=dtype, device=device)
        self.output = torch.empty_like(self.input)
        self.play: Act = self.step

    def step(self) -> None:
        """From the input's memory to the output's."""
        self.output.copy_(self.network(self.input.contiguous(memory_format=torch.channels_last)))

    def __call__(self, batch: Tensor) -> Tensor:
        """The results of ``batch``, in memory of their own; rows beyond it keep what they had."""
        self.input[: len(batch)].copy_(batch)
        self.play()
        return self.output[: len(batch)].clone()


class Graphs:
    """``network`` on ``(N, 3, H, W)`` batches on its device, by graphs where they pay.

    Args:
        network: takes and gives floats of type ``dtype`` on ``device``, channels last.
        record: makes the function that it is given quick to call again.
        size: graphs that are kept, which bounds their memory.
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
        """The results, of type ``dtype`` and contiguous."""
        graph = self._graph((bucket(len(batch)), *batch.shape[1:]))
        if graph is not None:
            return graph(batch)
        output: Tensor = self.network(batch.to(self.dtype).contiguous(memory_format=torch.channels_last))
        return output.contiguous()

    def _graph(self, shape: tuple[int, ...]) -> Static | None:
        """The graph of a bucket; None where there should be none, or cannot."""
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
