"""Network that every peer serves: a shipped one on ``torch.nn``, run eagerly on whole pictures."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from n2n_core import image
from n2n_core.device import set_threads
from n2n_core.image import Picture
from n2n_core.models import weights

PATH = "/denoise"
MEDIA_TYPE = "image/png"
MAX_BATCH, WINDOW_MS = 16, 1
"""Batching of the servers that batch: largest number of requests, and milliseconds to collect them."""
BATCH_PIXELS = 2**16
"""Pixels to run at once. Larger batches of large pictures leave the CPU's caches, and take longer."""


@dataclass(frozen=True)
class Options:
    """Command-line options of a peer."""

    port: int
    model: str
    threads: int


def options() -> Options:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("model")
    parser.add_argument("threads", type=int)
    return Options(**vars(parser.parse_args()))


def load(model: str, threads: int) -> nn.Module:
    """Return the network of a shipped model, on ``torch.nn``, in channels-last order."""
    set_threads(threads)
    network, _, _ = weights.load(weights.find(model).path, engine="torch")
    assert isinstance(network, nn.Module)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def denoise(network: nn.Module, pictures: list[Picture]) -> list[Picture]:
    """Run colour pictures of any sizes, in batches of equal shape. The order stays."""
    cleaned: dict[int, Picture] = {}
    for height, width in {picture.colour.shape[1:] for picture in pictures}:
        places = [i for i, picture in enumerate(pictures) if picture.colour.shape[1:] == (height, width)]
        step = max(1, BATCH_PIXELS // (height * width))
        for start in range(0, len(places), step):
            batch = places[start : start + step]
            colours = _run(network, torch.from_numpy(np.stack([pictures[i].colour for i in batch])))
            cleaned |= {i: pictures[i].with_colour(colours[k].numpy()) for k, i in enumerate(batch)}
    return [cleaned[index] for index in range(len(pictures))]


@torch.inference_mode()
def _run(network: nn.Module, batch: Tensor) -> Tensor:
    output: Tensor = network(batch.contiguous(memory_format=torch.channels_last))
    return output


def denoise_file(network: nn.Module, data: bytes) -> bytes:
    """Convert a picture file to that of the denoised picture."""
    return image.encode(denoise(network, [image.decode(data)])[0])
