"""Half precision for networks whose float16 results stay within half a grey level of the exact ones.

Networks differ in how large their activations grow, so each one is tested on probe pictures. bfloat16 is not
an option: just below 1, neighbouring values are a whole grey level apart.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Generator, Tensor

from n2n_core.inference.tiling import Geometry
from n2n_core.models.torch_modules import Network

TOLERANCE = 0.5 / 255
SIDES = ((16, 24), (33, 16), (64, 64))
"""Heights and widths of the probes, before they are rounded up to what the network allows."""

log = logging.getLogger("n2n.cuda")


def pick(network: Network, shape: Geometry, device: torch.device) -> tuple[Network, torch.dtype]:
    """Return a float16 copy of ``network`` if that is safe, else the network itself, and the type.

    Args:
        network: in inference mode, float32, on ``device``; it is not changed.
        shape: sizes that the network allows.
    """
    try:
        half = deepcopy(network).to(torch.float16)
        worst = deviation(network, half, shape, device)
    except (RuntimeError, TypeError, ValueError) as error:
        log.warning("the network stays in float32: it does not run in float16 (%s)", error)
        return network, torch.float32
    if not worst <= TOLERANCE:  # also true for NaN
        log.warning("the network stays in float32: float16 is off by %.2g grey levels", worst * 255)
        return network, torch.float32
    return half, torch.float16


@torch.no_grad()
def deviation(network: Network, half: Network, shape: Geometry, device: torch.device) -> float:
    """Return the largest difference between float16 and exact outputs on the probes; NaN if any is NaN.

    The exact outputs are computed in float64: in float32, CUDA may round factors to 10 bits.
    """
    exact, worst = deepcopy(network).to(torch.float64), []
    for pictures in probes(shape):
        pictures = pictures.to(device).contiguous(memory_format=torch.channels_last)
        difference = half(pictures.to(torch.float16)) - exact(pictures.to(torch.float64))
        worst.append(difference.abs().max())
    return float(torch.stack(worst).max())


def probes(shape: Geometry) -> Iterator[Tensor]:
    """Yield ``(5, 3, H, W)`` of each size, always the same: black, white, noise, ramp, edges."""
    generator = Generator().manual_seed(0)
    for side in SIDES:
        height, width = map(shape.fit, side)
        noise = torch.rand(3, height, width, generator=generator)
        ramp = (noise / 4 + torch.linspace(0, 1, width)).clamp(0, 1)
        blocks = (torch.rand(3, -(-height // 5), -(-width // 5), generator=generator) > 0.5).float()
        edges = blocks.repeat_interleave(5, 1).repeat_interleave(5, 2)[:, :height, :width]
        yield torch.stack([torch.zeros_like(noise), torch.ones_like(noise), noise, ramp, edges])
