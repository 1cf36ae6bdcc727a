"""The torch.nn networks, and the registry of all architectures that can be trained.

An architecture is a frozen dataclass whose fields are its configuration and whose
``build(generator)`` makes the network: the dataclass is what a weights file stores.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from n2n_core import scratch
from n2n_core.errors import ConfigError, UnknownModelError


@dataclass(frozen=True)
class AutoEncoder:
    """Report 1's family: 3x3 convolutions down, as many 3x3 transposed ones back up.

    No padding and no stride: every convolution takes 2 pixels off each side's sum, every
    transposed one gives them back. ReLU between layers, sigmoid at the end. With ``skip``
    the first layer's output is concatenated to the last layer's input.

    Args:
        channels: output channels of every layer; their number is even, the last is the image's.
        skip: report 1's table 3 has it, tables 1 and 2 do not.
    """

    channels: tuple[int, ...] = (100, 100, 100, 3)
    skip: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON gives lists
        if len(self.channels) < 2 or len(self.channels) % 2 or min(self.channels) < 1:
            raise ConfigError(
                f"AutoEncoder: channels is {self.channels}, expected an even number of sizes above 0"
            )
        if self.skip and len(self.channels) < 4:
            raise ConfigError(f"AutoEncoder: skip needs at least 4 layers, channels is {self.channels}")

    def build(self, generator: Generator | None = None) -> nn.Module:
        """The network, freshly initialised from ``generator``.

        >>> sum(p.numel() for p in AutoEncoder().build().parameters())
        188403
        """
        if generator is None:
            return AutoEncoderNetwork(self)
        with torch.random.fork_rng(devices=[]):  # torch.nn initialises from the global generator alone
            torch.random.set_rng_state(generator.get_state())
            network = AutoEncoderNetwork(self)
            generator.set_state(torch.random.get_rng_state())
        return network


class AutoEncoderNetwork(nn.Module):
    """``(N, C, H, W)`` to ``(N, C, H, W)``, floats in [0, 1]; see ``AutoEncoder``."""

    def __init__(self, config: AutoEncoder) -> None:
        super().__init__()
        inputs = [config.channels[-1], *config.channels[:-1]]
        if config.skip:
            inputs[-1] += config.channels[0]
        half = len(inputs) // 2
        kinds = [nn.Conv2d] * half + [nn.ConvTranspose2d] * half
        sizes = zip(kinds, inputs, config.channels, strict=True)
        self.layers = nn.ModuleList(kind(c_in, c_out, kernel_size=3) for kind, c_in, c_out in sizes)
        self.skip = config.skip

    def forward(self, x: Tensor) -> Tensor:
        x = first = self.layers[0](x).relu()
        for layer in self.layers[1:-1]:
            x = layer(x).relu()
        if self.skip:
            x = torch.cat([first, x], dim=1)
        output: Tensor = self.layers[-1](x).sigmoid()
        return output


INITIAL = AutoEncoder((32, 32, 32, 3), skip=False)
"""Report 1, table 1: 20,259 parameters, 23.88 dB."""

DEPTHS = {
    4: INITIAL,
    6: AutoEncoder((26, 22, 22, 22, 26, 3), skip=False),
    8: AutoEncoder((20, 20, 18, 18, 18, 20, 20, 3), skip=False),
    10: AutoEncoder((18, 16, 16, 16, 16, 16, 16, 16, 18, 3), skip=False),
    12: AutoEncoder((16, 16, 14, 14, 14, 14, 14, 14, 14, 16, 16, 3), skip=False),
}
"""Report 1, table 2: depth against width at about equal parameters."""

FINAL = AutoEncoder()
"""Report 1, table 3, with skip connection: 188,403 parameters, 25.32 dB."""

FINAL_WITHOUT_SKIP = AutoEncoder(skip=False)
"""Report 1, table 3 without it: 185,703 parameters."""

Network = nn.Module | scratch.Module
Architecture = AutoEncoder | scratch.StridedAutoEncoder

ARCHITECTURES: dict[str, type[Architecture]] = {
    "autoencoder": AutoEncoder,
    "strided-autoencoder": scratch.StridedAutoEncoder,
}
"""Families, by the name that weights files carry."""

MODELS: dict[str, Architecture] = {
    "torch": FINAL,
    "scratch": scratch.StridedAutoEncoder(),
}
"""What can be trained by name."""


def model(name: str) -> Architecture:
    """The architecture that ``name`` stands for; an unknown name lists the known ones."""
    if name not in MODELS:
        raise UnknownModelError(name, MODELS)
    return MODELS[name]


def describe(architecture: Architecture) -> dict[str, Any]:
    """The architecture as plain JSON types, from which ``restore`` makes it again.

    >>> restore(describe(FINAL)) == FINAL
    True
    """
    family = next(name for name, kind in ARCHITECTURES.items() if isinstance(architecture, kind))
    return {"family": family, **asdict(architecture)}


def restore(description: dict[str, Any]) -> Architecture:
    """The inverse of ``describe``."""
    values = dict(description)
    family = values.pop("family", None)
    if family not in ARCHITECTURES:
        raise ConfigError(f"unknown architecture {family!r}; known ones: {', '.join(ARCHITECTURES)}")
    try:
        return ARCHITECTURES[family](**values)
    except TypeError as error:
        raise ConfigError(f"architecture {family!r} cannot be made from {values}: {error}") from error
