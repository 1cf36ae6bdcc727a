"""The reports' networks, on both engines, our own, and the registry of architectures that can be trained.

An architecture is a frozen dataclass whose fields are its configuration and whose ``build``
makes the network, on torch.nn or on the scratch framework. Both name their parameters alike, so
one weights file, which stores the dataclass, serves both. To know them takes no torch: it is
imported where one is built.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from n2n_core.errors import ConfigError, UnknownModelError

if TYPE_CHECKING:
    from torch import Generator

    from n2n_core.models.torch_modules import Network

ENGINES = ("torch", "scratch")
"""``torch`` is torch.nn with autograd; ``scratch`` is the framework by hand."""


@dataclass(frozen=True)
class AutoEncoder:
    """Report 1's family: 3x3 convolutions down, as many 3x3 transposed ones back up.

    No padding and no stride: every convolution takes 2 pixels off each side's sum, every
    transposed one gives them back. ReLU between layers, sigmoid at the end. With ``skip``
    the first layer's output is concatenated to the last layer's input. Its own engine is torch.

    Args:
        channels: output channels of every layer; their number is even, the last is the image's.
        skip: report 1's table 3 has it, tables 1 and 2 do not.
        residual: every layer on the way up adds the map of its size on the way down, which takes no
            parameters (Mao et al., arXiv:1603.09056). Channels read the same from both ends; on torch alone.
    """

    engine: ClassVar[str] = "torch"
    channels: tuple[int, ...] = (100, 100, 100, 3)
    skip: bool = True
    residual: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON gives lists
        if len(self.channels) < 2 or len(self.channels) % 2 or min(self.channels) < 1:
            raise ConfigError(
                f"AutoEncoder: channels is {self.channels}, expected an even number of sizes above 0"
            )
        if self.skip and len(self.channels) < 4:
            raise ConfigError(f"AutoEncoder: skip needs at least 4 layers, channels is {self.channels}")
        if self.residual and self.channels[:-1] != self.channels[-2::-1]:
            raise ConfigError(
                f"AutoEncoder: channels is {self.channels}, expected a mirrored row for residual"
            )

    @property
    def layers(self) -> int:
        """How many there are at least, each with weights of its own."""
        return len(self.channels)

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """The network, freshly initialised from ``generator``.

        >>> sum(tensor.numel() for tensor in AutoEncoder().build().state_dict().values())
        188403
        """
        from n2n_core import scratch
        from n2n_core.models import torch_modules

        if pick_engine(engine, self.engine) == "scratch":
            if self.residual:
                raise ConfigError("engine is 'scratch', expected 'torch' for residual")
            return scratch.AutoEncoder(self.channels, self.skip, generator)
        return torch_modules.seeded(
            generator, lambda: torch_modules.AutoEncoder(self.channels, self.skip, self.residual)
        )


@dataclass(frozen=True)
class StridedAutoEncoder:
    """Report 2's network: two 2x2 stride-2 convolutions down, two upsamplings back up.

    With ``hidden=100``: 134,203 parameters, report 2's table 1. Its own engine is scratch.
    """

    engine: ClassVar[str] = "scratch"
    channels: int = 3
    hidden: int = 100

    @property
    def layers(self) -> int:
        """How many there are at least, each with weights of its own."""
        return 4

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """The network, freshly initialised from ``generator``."""
        from n2n_core import scratch
        from n2n_core.models import torch_modules

        if pick_engine(engine, self.engine) == "scratch":
            return scratch.strided_autoencoder(self.channels, self.hidden, generator)
        return torch_modules.seeded(
            generator, lambda: torch_modules.strided_autoencoder(self.channels, self.hidden)
        )


@dataclass(frozen=True)
class UNet:
    """Ours: a compact residual U-Net, which gives the noise that is taken from the picture.

    A 4x4 convolution of stride 2 enters; each further level halves the sides again. Every level has
    residual blocks (two 3x3 convolutions with ReLU between) on the way down and on the way up, the
    lowest level only once; what comes up is added to what went down. A 3x3 convolution and a pixel
    shuffle leave. No sigmoid, no normalisation: levels of brightness pass unchanged. torch alone.

    Args:
        channels: of each level, from half the picture's sides on.
        blocks: residual blocks of each level.
    """

    engine: ClassVar[str] = "torch"
    channels: tuple[int, ...] = (48, 80)
    blocks: tuple[int, ...] = (1, 3)

    def __post_init__(self) -> None:
        for name in ("channels", "blocks"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise ConfigError(f"UNet: {name} is {getattr(self, name)}, expected sizes above 0")
        if len(self.channels) != len(self.blocks):
            raise ConfigError(
                f"UNet: blocks is {self.blocks}, expected {len(self.channels)} sizes, as channels has"
            )

    @property
    def layers(self) -> int:
        """How many there are at least, each with weights of its own."""
        return len(self.channels) + sum(self.blocks)

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """The network, freshly initialised from ``generator``."""
        from n2n_core.models import torch_modules

        if pick_engine(engine, self.engine) == "scratch":
            raise ConfigError("engine is 'scratch', expected 'torch' for a U-Net")
        return torch_modules.seeded(generator, lambda: torch_modules.UNet(self.channels, self.blocks))


def pick_engine(engine: str, own: str) -> str:
    """``auto`` is the architecture's ``own`` engine."""
    if engine not in ("auto", *ENGINES):
        raise ConfigError(f"engine is {engine!r}, expected one of: auto, {', '.join(ENGINES)}")
    return own if engine == "auto" else engine


def engines(architecture: Architecture) -> tuple[str, ...]:
    """Those that the network can be built on.

    >>> engines(FINAL), engines(COURSE_UNET)
    (('torch', 'scratch'), ('torch',))
    """
    torch_alone = isinstance(architecture, UNet) or getattr(architecture, "residual", False)
    return ("torch",) if torch_alone else ENGINES


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

COURSE_UNET = UNet((64, 80), (1, 2))
"""For the course's pictures: 429,596 parameters, 56 kMAC per pixel."""

PHOTO_UNET = UNet((48, 80, 96), (1, 2, 2))
"""For photos: 976,748 parameters, 59 kMAC per pixel; strong noise takes a wide view, so one level more."""

Architecture = AutoEncoder | StridedAutoEncoder | UNet

ARCHITECTURES: dict[str, type[Architecture]] = {
    "autoencoder": AutoEncoder,
    "strided-autoencoder": StridedAutoEncoder,
    "unet": UNet,
}
"""Families, by the name that weights files carry."""

MODELS: dict[str, Architecture] = {
    "torch": FINAL,
    "scratch": StridedAutoEncoder(),
    "unet": COURSE_UNET,
    "photo": PHOTO_UNET,
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
