"""Run a network on CUDA: in half precision where that is safe, with CUDA graphs and overlapped copies.

Tests run the same code on other devices, in order and without these.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from math import prod
from threading import Lock, RLock

import torch
from torch import Tensor

from n2n_core.inference import half_precision
from n2n_core.inference.cuda_graphs import Act, Graphs, Recorder, bucket
from n2n_core.inference.tiling import Geometry
from n2n_core.models.torch_modules import Network

WINDOW = 512
"""Tile side in pixels: one tile keeps the device busy, and only 3 % of it is context."""

CHUNK_PIXELS = 2**18
"""Pixels per copy: enough to outweigh a kernel launch, few enough to overlap with computing."""

PIXEL_BYTES = 4096
"""Memory per pixel of a batch: ten maps of 100 channels in float32."""

FEWEST_PIXELS, MOST_PIXELS = 2**16, 2**22
"""Bounds of a batch: a CPU's batch, and 16 tiles, beyond which a device gains nothing."""

COUNTS = (4, 16, 64, 256, 1024)
"""Batch sizes, in tiles of 32 x 32 pixels, that ``Denoiser.calibrate`` tries."""

Recorded = Callable[[Act], Act]
_setting = Lock()  # torch's switches are per process, not per thread

log = logging.getLogger("n2n.cuda")


def batch_pixels(free: int) -> int:
    """Return how many pixels to run at once with ``free`` bytes, a quarter of which a model may take.

    >>> batch_pixels(8 * 2**30) == 2 * 512**2
    True
    """
    return min(max(free // 4 // PIXEL_BYTES, FEWEST_PIXELS), MOST_PIXELS)


def chunks(count: int, tile_pixels: int) -> list[slice]:
    """Split ``count`` tiles into parts of up to ``CHUNK_PIXELS``; all but the last fill a bucket.

    >>> chunks(5, 2**17)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    fitting = max(1, CHUNK_PIXELS // tile_pixels)
    size = bucket(fitting + 1) // 2  # the largest power of two that is at most that
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


class Pinned:
    """Pinned host memory, which the device reads and writes directly. It is reused, and grows if needed."""

    def __init__(self, dtype: torch.dtype, pin: bool) -> None:
        self.pin = pin
        self._memory = torch.empty(0, dtype=dtype)

    def take(self, shape: torch.Size) -> Tensor:
        """Return an uninitialised tensor of ``shape``, valid until the next call."""
        count = prod(shape)
        if count > len(self._memory):
            self._memory = self._allocate(bucket(count))
        return self._memory[:count].view(shape)

    def _allocate(self, count: int) -> Tensor:
        dtype = self._memory.dtype
        try:
            return torch.empty(count, dtype=dtype, pin_memory=self.pin)
        except RuntimeError as error:
            log.warning("copies are not overlapped: the host's memory cannot be pinned (%s)", error)
            self.pin = False
            return torch.empty(count, dtype=dtype)


class _Way:
    """A network in one precision, with its graphs and the host memory that is copied to and from them."""

    def __init__(self, network: Network, dtype: torch.dtype, device: torch.device, record: Recorded) -> None:
        self.graphs = Graphs(network, dtype, device, record)
        pin = device.type == "cuda"
        self.inputs, self.outputs = Pinned(dtype, pin), Pinned(dtype, pin)


class CudaPath:
    """A network on a CUDA device. Thread-safe: calls wait for each other. All use the default stream.

    Half precision is used where it is safe for pictures of 8 bits a channel. ``exact`` batches are computed
    in float32, without TF32, which rounds the factors of convolutions to 10 bits.

    Args:
        network: in inference mode, float32, on ``device``.
        shape: sizes that it allows.
        record: makes CUDA graphs; by default a ``Recorder``.
    """

    def __init__(
        self,
        network: Network,
        shape: Geometry,
        device: torch.device,
        record: Recorded | None = None,
    ) -> None:
        quick, self.dtype = half_precision.pick(network, shape, device)
        self.device, self._api = device, torch.get_device_module(device)
        record = record or Recorder(device)
        self._quick = _Way(quick, self.dtype, device, record)
        self._exact = _Way(network, torch.float32, device, record)
        self._there, self._back = self._api.Stream(device), self._api.Stream(device)
        self._lock = RLock()

    @torch.no_grad()
    def forward(self, batch: Tensor, exact: bool = False) -> Tensor:
        """Run ``(N, 3, H, W)`` floats on the device; returns results there, float32 or ``self.dtype``."""
        with self._lock, _unrounded() if exact else nullcontext():
            return (self._exact if exact else self._quick).graphs(batch)

    @torch.no_grad()
    def run(self, batch: Tensor, exact: bool = False) -> Tensor:
        """Run ``(N, 3, H, W)`` floats on the CPU; returns float32 results there.

        While one chunk is computed, the next is copied to the device and the previous one back. Casts happen
        on the host, so half precision also halves what is copied.
        """
        with self._lock:
            way = self._exact if exact else self._quick
            inputs, outputs = way.inputs.take(batch.shape), way.outputs.take(batch.shape)
            parts = chunks(len(batch), prod(batch.shape[2:]))
            held, ends = [], []  # tensors must live until the copies that read them end
            for part in parts:
                inputs[part].copy_(batch[part])
                tensors, end = self._launch(inputs[part], outputs[part], exact)
                held.append(tensors)
                ends.append(end)
            results = torch.empty(batch.shape)
            for part, end in zip(parts, ends, strict=True):
                end.synchronize()
                results[part].copy_(outputs[part])
            return results

    def _launch(
        self, source: Tensor, target: Tensor, exact: bool
    ) -> tuple[tuple[Tensor, Tensor], torch.cuda.Event]:
        """Launch one chunk, from pinned memory to pinned memory; returns its device tensors and its end."""
        compute = self._api.current_stream(self.device)
        with self._api.stream(self._there):
            tiles = source.to(self.device, non_blocking=True)
        compute.wait_stream(self._there)
        results = self.forward(tiles, exact)
        self._back.wait_stream(compute)
        with self._api.stream(self._back):
            target.copy_(results, non_blocking=True)
        end = self._api.Event()
        end.record(self._back)
        return (tiles, results), end


@contextmanager
def _unrounded() -> Iterator[None]:
    """Turn TF32 off: factors rounded to 10 bits would cost many 16-bit levels."""
    with _setting, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
