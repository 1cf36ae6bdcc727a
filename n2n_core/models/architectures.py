"""The architectures that can be trained: the networks of both reports, and our U-Nets.

An architecture is a frozen dataclass: its fields are the configuration, and ``build`` makes the network, on
torch.nn or on the scratch framework. Both engines use the same parameter names, so a weights file, which
stores the dataclass, works with both. torch is imported only when a network is built.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from n2n_core.errors import ConfigError, UnknownModelError

if TYPE_CHECKING:
    from torch import Generator

    from n2n_core.models.torch_modules import Network

ENGINES = ("torch", "scratch")
"""``torch`` is torch.nn with autograd; ``scratch`` is this project's own framework."""


@dataclass(frozen=True)
class AutoEncoder:
    """Report 1's family: 3x3 convolutions down, and as many 3x3 transposed convolutions back up.

    No padding and no stride: every convolution makes height and width 2 pixels smaller, and every
    transposed convolution 2 pixels larger. ReLU between layers, sigmoid at the end. With ``skip``, the
    first layer's output is concatenated to the last layer's input. The default engine is torch.

    Args:
        channels: output channels of each layer; an even number of layers, the last with the image's channels.
        skip: used in table 3 of report 1, not in tables 1 and 2.
        residual: whether each layer on the way up adds the map of the same size from the way down, without
            parameters (Mao et al., arXiv:1603.09056). Needs mirrored channels, and torch.
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
            raise ConfigError(f"AutoEncoder: channels is {self.channels}, expected 4 or more for skip")
        if self.residual and self.channels[:-1] != self.channels[-2::-1]:
            raise ConfigError(
                f"AutoEncoder: channels is {self.channels}, expected mirrored channels for residual"
            )

    @property
    def layers(self) -> int:
        """Lower bound of the number of layers with weights."""
        return len(self.channels)

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """Build the network, with weights drawn from ``generator``.

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
    """Report 2's network: two 2x2 convolutions of stride 2 down, and two upsamplings back up.

    ``hidden=100`` has 134,203 parameters, as in table 1 of report 2. The default engine is scratch.
    """

    engine: ClassVar[str] = "scratch"
    channels: int = 3
    hidden: int = 100

    @property
    def layers(self) -> int:
        """Lower bound of the number of layers with weights."""
        return 4

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """Build the network, with weights drawn from ``generator``."""
        from n2n_core import scratch
        from n2n_core.models import torch_modules

        if pick_engine(engine, self.engine) == "scratch":
            return scratch.strided_autoencoder(self.channels, self.hidden, generator)
        return torch_modules.seeded(
            generator, lambda: torch_modules.strided_autoencoder(self.channels, self.hidden)
        )


@dataclass(frozen=True)
class UNet:
    """Our compact U-Net, which predicts the correction that is added to the picture.

    The first layer is a 4x4 convolution of stride 2; each further level halves the sides again. Each level
    has residual blocks (two 3x3 convolutions with ReLU between) on the way down and on the way up, the lowest
    level only once. Maps on the way up are added to those on the way down. The last layers are a 3x3
    convolution and a pixel shuffle. Without sigmoid and normalisation, brightness passes unchanged. Needs
    torch.

    Args:
        channels: channels of each level, starting at half the picture's sides.
        blocks: number of residual blocks of each level.
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
                f"UNet: blocks is {self.blocks}, expected {len(self.channels)} sizes, as in channels"
            )

    @property
    def layers(self) -> int:
        """Lower bound of the number of layers with weights."""
        return len(self.channels) + sum(self.blocks)

    def build(self, generator: Generator | None = None, engine: str = "auto") -> Network:
        """Build the network, with weights drawn from ``generator``."""
        from n2n_core.models import torch_modules

        if pick_engine(engine, self.engine) == "scratch":
            raise ConfigError("engine is 'scratch', expected 'torch' for a U-Net")
        return torch_modules.seeded(generator, lambda: torch_modules.UNet(self.channels, self.blocks))


def pick_engine(engine: str, own: str) -> str:
    """Return the engine's name. ``auto`` selects ``own``, the architecture's default."""
    if engine not in ("auto", *ENGINES):
        raise ConfigError(f"engine is {engine!r}, expected one of: auto, {', '.join(ENGINES)}")
    return own if engine == "auto" else engine


def engines(architecture: Architecture) -> tuple[str, ...]:
    """Return the engines that the network can be built on.

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
"""Report 1, table 2: depth against width, at about the same number of parameters."""

FINAL = AutoEncoder()
"""Report 1, table 3, with skip connection: 188,403 parameters, 25.32 dB."""

FINAL_WITHOUT_SKIP = AutoEncoder(skip=False)
"""Report 1, table 3, without skip connection: 185,703 parameters."""

COURSE_UNET = UNet((64, 80), (1, 2))
"""U-Net for the course's pictures: 429,596 parameters, 56 kMAC per pixel."""

PHOTO_UNET = UNet((48, 80, 96), (1, 2, 2))
"""U-Net for photos: 976,748 parameters, 59 kMAC per pixel. Strong noise needs the context of three levels."""

Architecture = AutoEncoder | StridedAutoEncoder | UNet

ARCHITECTURES: dict[str, type[Architecture]] = {
    "autoencoder": AutoEncoder,
    "strided-autoencoder": StridedAutoEncoder,
    "unet": UNet,
}
"""Architecture classes by the name in weights files."""

MODELS: dict[str, Architecture] = {
    "torch": FINAL,
    "scratch": StridedAutoEncoder(),
    "unet": COURSE_UNET,
    "photo": PHOTO_UNET,
}
"""Architectures that can be trained, by name."""


def model(name: str) -> Architecture:
    """Return the architecture called ``name``.

    Raises:
        UnknownModelError: no architecture has this name. The message lists the known names.
    """
    if name not in MODELS:
        raise UnknownModelError(name, MODELS)
    return MODELS[name]


def describe(architecture: Architecture) -> dict[str, Any]:
    """Convert an architecture to JSON types. ``restore`` is the inverse.

    >>> restore(describe(FINAL)) == FINAL
    True
    """
    family = next(name for name, kind in ARCHITECTURES.items() if isinstance(architecture, kind))
    return {"family": family, **asdict(architecture)}


def restore(description: dict[str, Any]) -> Architecture:
    """Make an architecture from its description; the inverse of ``describe``.

    Raises:
        ConfigError: the description is not valid.
    """
    values = dict(description)
    family = values.pop("family", None)
    if family not in ARCHITECTURES:
        raise ConfigError(f"unknown architecture {family!r}; known ones: {', '.join(ARCHITECTURES)}")
    try:
        return ARCHITECTURES[family](**values)
    except TypeError as error:
        raise ConfigError(f"architecture {family!r} cannot be made from {values}: {error}") from error
