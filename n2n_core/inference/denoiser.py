"""A loaded model, ready to run on images of any size."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn

from n2n_core.device import limit_threads, pick_device
from n2n_core.errors import ShapeError, WeightsError
from n2n_core.inference import cuda, tiling
from n2n_core.inference.cuda import CudaPath
from n2n_core.inference.tiling import BATCH_PIXELS, WINDOW, Throughput
from n2n_core.models import weights
from n2n_core.models.inference_form import rewritten
from n2n_core.models.torch_modules import Network

WINDOWS = (96, 128, 192, 256, 384, 512)
"""Tile sides that ``calibrate`` tries."""

ENOUGH_SECONDS = 0.1
"""What takes longer is measured once, or twice."""

COUNTS = (4, 8, 16, 32)
"""Batches of 32-pixel tiles that are measured on a CPU."""


class Denoiser:
    """A network in inference mode on a device. Thread-safe: it keeps nothing of a call.

    On CUDA, ``cuda`` runs it, and threads wait for each other.

    Args:
        network: takes and gives ``(N, 3, H, W)`` floats in [0, 1].
        device: ``auto``, or one of torch's names.
        window: tile side in pixels; results do not depend on it. By the device if not given.
        batch_pixels: how many pixels are run at once. By the device if not given.
    """

    def __init__(
        self,
        network: Network,
        device: str | torch.device = "auto",
        window: int | None = None,
        batch_pixels: int | None = None,
    ) -> None:
        self.device = pick_device(device) if isinstance(device, str) else device
        network = network.to(self.device).eval()
        if isinstance(network, nn.Module):
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        check_channels(network)
        self.geometry = tiling.geometry(network)
        self.network = rewritten(network)
        on_cuda = self.device.type == "cuda"
        self.cuda = CudaPath(self.network, self.geometry, self.device) if on_cuda else None
        usual_window, usual_pixels = _sizes(self.device)
        self.window = self.geometry.window(usual_window) if window is None else window
        self.batch_pixels = usual_pixels if batch_pixels is None else batch_pixels
        self.throughput = Throughput(self.window, self.batch_pixels)

    @classmethod
    def load(cls, path: Path, device: str = "auto", engine: str = "auto") -> Denoiser:
        """The model of a weights file, on its own engine or another."""
        network, _, _ = weights.load(path, engine)
        return cls(network, device)

    def __call__(self, images: Tensor, exact: bool = False) -> Tensor:
        """Denoise ``(N, C, H, W)`` floats in [0, 1], C 3 or 1 (grey); same shape, float32.

        Grey images are run as colour ones of three equal channels, and averaged back.

        Args:
            exact: of more than 8 bits a channel: no half precision. Makes a difference on CUDA alone.

        Raises:
            ShapeError: not four axes, another number of channels, or an empty image.
        """
        if images.dim() != 4 or images.shape[1] not in (1, 3) or 0 in images.shape[2:]:
            raise ShapeError("Denoiser", "the images' shape", tuple(images.shape), "(N, 3 or 1, H, W)")
        with torch.no_grad():
            images = images.to(self.device, torch.float32)
            grey = images.shape[1] == 1
            colour = images.expand(-1, 3, -1, -1) if grey else images
            output = tiling.run(
                partial(self._forward, exact=exact), colour, self.geometry, self.window, self.batch_pixels
            )
            return output.mean(1, keepdim=True) if grey else output

    def run(self, batch: Tensor, exact: bool = False) -> Tensor:
        """``(N, 3, H, W)`` tiles of a size that the geometry allows; the results, on the CPU."""
        if self.cuda:
            return self.cuda.run(batch, exact)
        with torch.no_grad():
            return self._forward(batch).cpu()

    def calibrate(self, lines: int = 1) -> None:
        """Measure the ``throughput``: warms the network up, and takes a fraction of a second.

        Args:
            lines: batches of large tiles that will run at once, each on its share of the cores.
        """
        counts = cuda.COUNTS if self.cuda else COUNTS
        speeds = {n: n * 32**2 / self._seconds(n, self.geometry.fit(32)) for n in counts}
        enough = min(n for n, speed in speeds.items() if speed > 0.9 * max(speeds.values()))
        with limit_threads(max(1, torch.get_num_threads() // lines)):
            window = self._best_window()
        self.throughput = Throughput(window, enough * 32**2, 1 / speeds[enough])

    def _best_window(self) -> int:
        """The side of the smallest tiles that are nearly the fastest, for what remains without the halo."""
        halo = 2 * self.geometry.halo
        windows = [w for w in WINDOWS if 2 * halo < w <= 2 * self.window]
        costs = {w: self._seconds(1, self.geometry.fit(w)) / (w - halo) ** 2 for w in windows}
        return min((w for w in windows if costs[w] < 1.05 * min(costs.values())), default=self.window)

    def _seconds(self, count: int, side: int) -> float:
        batch, times = torch.zeros(count, 3, side, side), list[float]()
        while len(times) < 3 and sum(times) < ENOUGH_SECONDS:
            began = perf_counter()
            self.run(batch)
            times.append(perf_counter() - began)
        return min(times)

    def _forward(self, batch: Tensor, exact: bool = False) -> Tensor:
        if self.cuda:
            return self.cuda.forward(batch, exact)
        output: Tensor = self.network(batch.contiguous(memory_format=torch.channels_last))
        return output


def check_channels(network: Network) -> None:
    """Raise ``WeightsError`` unless the network takes and gives images of 3 channels."""
    device = next(iter(network.state_dict().values())).device
    side = tiling.geometry(network).fit(1)
    try:
        with torch.no_grad():
            shape = network(torch.zeros(1, 3, side, side, device=device)).shape
    except (ShapeError, RuntimeError) as error:
        raise WeightsError("the network does not take images of 3 channels") from error
    if shape[1] != 3:
        raise WeightsError(f"the network gives images of {shape[1]} channels, expected 3")


def _sizes(device: torch.device) -> tuple[int, int]:
    """The usual ``window`` and ``batch_pixels`` on a device."""
    if device.type != "cuda":
        return WINDOW, BATCH_PIXELS
    return cuda.WINDOW, cuda.batch_pixels(torch.cuda.mem_get_info(device)[0])
