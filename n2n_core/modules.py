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

    def __init__(self, channels: Sequence[int], skip: bool, residual: bool = False) -> None:
        super().__init__()
        inputs = [channels[-1], *channels[:-1]]
        if skip:
            inputs[-1] += channels[0]
        half = len(inputs) // 2
        kinds = [nn.Conv2d] * half + [nn.ConvTranspose2d] * half
        sizes = zip(kinds, inputs, channels, strict=True)
        self.layers = nn.ModuleList(kind(c_in, c_out, kernel_size=3) for kind, c_in, c_out in sizes)
        self.skip, self.residual = skip, residual

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What the first layer makes of ``x``, and what reaches the last one without the skip."""
        maps = [self.layers[0](x).relu_()]
        for index, layer in enumerate(self.layers[1:-1], 1):
            x, mirror = layer(maps[-1]), len(self.layers) - 2 - index
            if self.residual and mirror < index:
                x = x + maps[mirror]
            maps.append(x.relu_())
        return maps[0], maps[-1]

    def forward(self, x: Tensor) -> Tensor:
        first, x = self.features(x)
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
