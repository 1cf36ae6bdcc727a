"""The reports' networks on torch.nn; their configurations are in ``networks``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from n2n_core import scratch

Network = nn.Module | scratch.Module


class AutoEncoder(nn.Module):
    """``(N, C, H, W)`` to ``(N, C, H, W)``, floats in [0, 1]; see ``networks.AutoEncoder``."""

    def __init__(self, channels: Sequence[int], skip: bool) -> None:
        super().__init__()
        inputs = [channels[-1], *channels[:-1]]
        if skip:
            inputs[-1] += channels[0]
        half = len(inputs) // 2
        kinds = [nn.Conv2d] * half + [nn.ConvTranspose2d] * half
        sizes = zip(kinds, inputs, channels, strict=True)
        self.layers = nn.ModuleList(kind(c_in, c_out, kernel_size=3) for kind, c_in, c_out in sizes)
        self.skip = skip

    def forward(self, x: Tensor) -> Tensor:
        x = first = self.layers[0](x).relu()
        for layer in self.layers[1:-1]:
            x = layer(x).relu()
        if self.skip:
            x = torch.cat([first, x], dim=1)
        output: Tensor = self.layers[-1](x).sigmoid()
        return output


def strided_autoencoder(channels: int, hidden: int) -> nn.Module:
    """Report 2's network; see ``networks.StridedAutoEncoder``."""

    def upsampling(c_in: int, c_out: int) -> nn.Module:
        nearest, conv = nn.Upsample(scale_factor=(2, 2)), nn.Conv2d(c_in, c_out, 3, padding=1)
        return nn.Sequential(OrderedDict(nearest=nearest, conv=conv))

    c, h = channels, hidden
    down = nn.Conv2d(c, h, 2, stride=2), nn.ReLU(), nn.Conv2d(h, h, 2, stride=2), nn.ReLU()
    return nn.Sequential(*down, upsampling(h, h), nn.ReLU(), upsampling(h, c), nn.Sigmoid())


def seeded(generator: Generator | None, make: Callable[[], nn.Module]) -> nn.Module:
    """What ``make`` makes, its weights drawn from ``generator``, or from the global one."""
    if generator is None:
        return make()
    with torch.random.fork_rng(devices=[]):  # torch.nn initialises from the global generator alone
        torch.random.set_rng_state(generator.get_state())
        network = make()
        generator.set_state(torch.random.get_rng_state())
    return network
