"""The networks as ``torch.nn`` modules. Their configurations are in ``architectures``."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from n2n_core import scratch

Network = nn.Module | scratch.Module


class AutoEncoder(nn.Module):
    """``(N, C, H, W)`` to ``(N, C, H, W)``, floats in [0, 1]; see ``architectures.AutoEncoder``."""

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
        """Return the first layer's output, and the last layer's input without the skip connection."""
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


class UNet(nn.Module):
    """``(N, 3, H, W)`` to ``(N, 3, H, W)``, H and W multiples of ``2^levels``; see ``architectures.UNet``.

    Layers are registered in the order of their application, from which ``tiling`` derives the context.
    """

    def __init__(self, channels: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        steps = list(zip(channels, channels[1:], blocks, strict=False))  # from each level to the one below
        self.enter = nn.Conv2d(3, channels[0], kernel_size=4, stride=2, padding=1)
        self.down = nn.ModuleList(Down(high, low, count) for high, low, count in steps)
        self.bottom = _blocks(channels[-1], blocks[-1])
        self.up = nn.ModuleList(Up(low, high, count) for high, low, count in reversed(steps))
        self.leave = nn.Conv2d(channels[0], 4 * 3, kernel_size=3, padding=1)
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        features, skips = self.enter(x), []
        for down in self.down:
            features, skip = down(features)
            skips.append(skip)
        features = self.bottom(features)
        for up in self.up:
            features = up(features, skips.pop())
        output: Tensor = x + self.shuffle(self.leave(features))
        return output


class Down(nn.Module):
    """Step down from ``(N, high, H, W)`` to the next level. Also returns the map for the way up."""

    def __init__(self, high: int, low: int, count: int) -> None:
        super().__init__()
        self.blocks = _blocks(high, count)
        self.shrink = nn.Conv2d(high, low, kernel_size=2, stride=2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.blocks(x)
        return self.shrink(x), x


class Up(nn.Module):
    """Step up from ``(N, low, H, W)`` to the next level, where the map from the way down is added."""

    def __init__(self, low: int, high: int, count: int) -> None:
        super().__init__()
        self.grow = nn.ConvTranspose2d(low, high, kernel_size=2, stride=2)
        self.blocks = _blocks(high, count)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        output: Tensor = self.blocks(self.grow(x).add_(skip))
        return output


class Residual(nn.Module):
    """``x + conv(relu(conv(x)))``, all ``(N, C, H, W)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
        self.second = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.second(self.first(x).relu_()).add_(x)
        return output


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels) for _ in range(count)))


def strided_autoencoder(channels: int, hidden: int) -> nn.Module:
    """Report 2's network; see ``architectures.StridedAutoEncoder``."""

    def upsampling(c_in: int, c_out: int) -> nn.Module:
        nearest, conv = nn.Upsample(scale_factor=(2, 2)), nn.Conv2d(c_in, c_out, 3, padding=1)
        return nn.Sequential(OrderedDict(nearest=nearest, conv=conv))

    c, h = channels, hidden
    down = nn.Conv2d(c, h, 2, stride=2), nn.ReLU(), nn.Conv2d(h, h, 2, stride=2), nn.ReLU()
    return nn.Sequential(*down, upsampling(h, h), nn.ReLU(), upsampling(h, c), nn.Sigmoid())


def seeded(generator: Generator | None, make: Callable[[], nn.Module]) -> nn.Module:
    """Call ``make`` with weights drawn from ``generator``, or from the global generator if it is None."""
    if generator is None:
        return make()
    with torch.random.fork_rng(devices=[]):  # torch.nn can only initialise from the global generator
        torch.random.set_rng_state(generator.get_state())
        network = make()
        generator.set_state(torch.random.get_rng_state())
    return network
