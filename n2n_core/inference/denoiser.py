"""A loaded model that denoises images of any size."""

from __future__ import annotations

from functools import partial
from math import ceil
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from n2n_core.device import is_out_of_memory, limit_threads, pick_device
from n2n_core.errors import ShapeError, WeightsError
from n2n_core.image import Picture
from n2n_core.inference import cuda, tiling
from n2n_core.inference.cuda import CudaPath
from n2n_core.inference.enhance import Enhanced, Enhancement
from n2n_core.inference.tiling import BATCH_PIXELS, WINDOW, Throughput
from n2n_core.models import weights
from n2n_core.models.inference_form import rewritten
from n2n_core.models.torch_modules import Network

WINDOWS = (96, 128, 192, 256, 384, 512)
"""Tile sides that ``calibrate`` tries."""

ENOUGH_SECONDS = 0.1
"""``calibrate`` repeats a measurement up to three times, until it has taken this long."""

COUNTS = (4, 8, 16, 32)
"""Batch sizes, in tiles of 32 x 32 pixels, that ``calibrate`` tries on a CPU."""


class Denoiser:
    """A network in inference mode on a device. Thread-safe; on CUDA, calls wait for each other.

    Args:
        network: maps ``(N, 3, H, W)`` floats in [0, 1] to the same shape.
        device: ``auto``, or one of torch's names.
        window: tile side in pixels, which does not change the results; by default the device's best.
        batch_pixels: pixels to run at once; by default the device's best.
        is_blind: whether the network was trained on noise of any level, see ``Card.is_blind``.
    """

    def __init__(
        self,
        network: Network,
        device: str | torch.device = "auto",
        window: int | None = None,
        batch_pixels: int | None = None,
        is_blind: bool = False,
    ) -> None:
        self.is_blind = is_blind
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
        """Load a weights file, on the model's own engine or another one.

        Raises:
            WeightsError, ConfigError: see ``weights.load``.
        """
        network, _, card = weights.load(path, engine)
        return cls(network, device, is_blind=card.is_blind)

    def enhance(self, picture: Picture, strength: float = 1.0, self_ensemble: bool = False) -> Enhanced:
        """Denoise a picture as ``n2n denoise`` and the service do, with the same result.

        Args:
            picture: as ``image.decode`` reads it, or ``Picture(colour, bits=16)`` of an array.
            strength: 0 gives the noisy picture, 1 the network's result.
            self_ensemble: whether to average over the eight flips and rotations.

        Raises:
            ConfigError: the strength is not from 0 to 1.

        >>> picture = Picture(np.full((1, 20, 30), 0.5, np.float32), bits=16)
        >>> Denoiser.load(weights.find("photo").path, "cpu").enhance(picture).picture.colour.shape
        (1, 20, 30)
        """
        enhancement = Enhancement(picture, self.is_blind, strength, self_ensemble)
        images = (torch.from_numpy(np.ascontiguousarray(image)[None]) for image in enhancement.before())
        outputs = (self(image, exact=enhancement.is_deep)[0].cpu().numpy() for image in images)
        return enhancement.after(outputs)

    def __call__(self, images: Tensor, exact: bool = False) -> Tensor:
        """Run the network on ``(N, C, H, W)`` floats in [0, 1], C 3 or 1 (grey); same shape, float32.

        A grey image is run as three equal channels, then averaged. For pictures, see ``enhance``.

        Args:
            exact: compute in full precision, for more than 8 bits a channel; matters on CUDA only.

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
        """Run the network on ``(N, 3, H, W)`` tiles, whose size fits the geometry; returns a CPU tensor."""
        if self.cuda:
            return self.cuda.run(batch, exact)
        with torch.no_grad():
            return self._forward(batch).cpu()

    def calibrate(self, lines: int = 1) -> None:
        """Measure the ``throughput``. This warms the network up, and takes a fraction of a second.

        Args:
            lines: batches of large tiles that will run in parallel, each on its share of the cores.
        """
        speeds = {n: n * 32**2 / self._seconds(n, self.geometry.fit(32)) for n in self._counts}
        enough = min(n for n, speed in speeds.items() if speed > 0.9 * max(speeds.values()))
        with limit_threads(max(1, torch.get_num_threads() // lines)):
            window = self._best_window()
        self.throughput = Throughput(window, enough * 32**2, 1 / speeds[enough])

    def rehearse(self) -> None:
        """Run the largest batches that ``calibrate`` and pictures of any size lead to, once each."""
        largest = ceil(tiling.TOLERANCE * max((self.window, *self._windows)))
        for count, side in ((max(self._counts), 32), (1, largest)):
            self.run(torch.zeros(count, 3, *2 * [self.geometry.fit(side)]))

    @property
    def _counts(self) -> tuple[int, ...]:
        return cuda.COUNTS if self.cuda else COUNTS

    @property
    def _windows(self) -> list[int]:
        """Tile sides whose context is less than half of them."""
        return [w for w in WINDOWS if 4 * self.geometry.halo < w <= 2 * self.window]

    def _best_window(self) -> int:
        """Return the smallest tile side within 5 % of the best speed per pixel, halo excluded."""
        halo, windows = 2 * self.geometry.halo, self._windows
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
        if is_out_of_memory(error):
            raise
        raise WeightsError("the network does not accept images with 3 channels") from error
    if shape[1] != 3:
        raise WeightsError(f"the network returns images with {shape[1]} channels, expected 3")


def _sizes(device: torch.device) -> tuple[int, int]:
    """Return the default ``window`` and ``batch_pixels`` of a device."""
    if device.type != "cuda":
        return WINDOW, BATCH_PIXELS
    return cuda.WINDOW, cuda.batch_pixels(torch.cuda.mem_get_info(device)[0])
