"""Corruptions: the formulas that turn a clean image into a noisy one.

A corruption is a frozen dataclass. Called with an image and a generator, it returns a noisy image;
``clean(image)`` returns the expected value of the noisy image. Images are floats, nominally in [0, 1], of
shape ``(..., C, H, W)``. Nothing is clipped or rounded: Noise2Noise needs ``E[noisy] = clean``, which
clipping breaks.

The same generator state gives the same noise. Noise is drawn on the generator's device; the result is on
the image's device. torch is imported only when noise is drawn, so parameters can be checked without it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

from n2n_core.errors import ConfigError, ShapeError

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from n2n_core.noise.camera import Sensor


@dataclass(frozen=True)
class Gaussian:
    r"""Additive white Gaussian noise: ``y = x + sigma n``, ``n ~ N(0, 1)``.

    Args:
        sigma: standard deviation in the image's units, at least 0 (25 / 255 is common).

    Mean ``x``, variance ``sigma^2``.

    >>> import torch
    >>> Gaussian(sigma=0.1)(torch.zeros(3, 8, 8), torch.Generator().manual_seed(0)).shape
    torch.Size([3, 8, 8])
    """

    sigma: float = 25 / 255

    def __post_init__(self) -> None:
        _require(self, "sigma", self.sigma >= 0, "at least 0")

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy of ``image``."""
        import torch

        n = torch.randn(image.shape, generator=generator, dtype=image.dtype, device=generator.device)
        return image + self.sigma * n.to(image.device)

    def clean(self, image: Tensor) -> Tensor:
        """Return the image itself."""
        return image


@dataclass(frozen=True)
class Poisson:
    r"""Photon noise: ``y = P(lam x) / lam``, ``P`` the Poisson distribution.

    Args:
        lam: mean number of photons for a pixel of value 1, above 0.

    Mean ``x``, variance ``x / lam``. The image must not be negative.
    Source: Lehtinen et al., Noise2Noise (arXiv:1803.04189), section 3.2.
    """

    lam: float = 30.0

    def __post_init__(self) -> None:
        _require(self, "lam", self.lam > 0, "above 0")

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy of ``image``."""
        import torch

        if image.numel() and image.min() < 0:
            raise ShapeError("Poisson", "the image's minimum", image.min().item(), "at least 0")
        photons = torch.poisson((image * self.lam).to(generator.device), generator=generator)
        return photons.to(image.device) / self.lam

    def clean(self, image: Tensor) -> Tensor:
        """Return the image itself."""
        return image


@dataclass(frozen=True)
class Bernoulli:
    r"""Lost pixels: ``y = m x / (1 - p)``, ``m`` 0 with probability ``p``, else 1.

    All channels of a pixel are lost together. The others are scaled so that the mean is kept.

    Args:
        p: fraction of lost pixels, in [0, 1).

    Mean ``x``, variance ``x^2 p / (1 - p)``.
    Source: Lehtinen et al., Noise2Noise (arXiv:1803.04189), section 3.2. They mask the loss instead.
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        _require(self, "p", 0 <= self.p < 1, "in [0, 1)")

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy of ``image``."""
        import torch

        shape = (*image.shape[:-3], 1, *image.shape[-2:])
        kept = torch.rand(shape, generator=generator, device=generator.device) >= self.p
        return image * kept.to(image.device) / (1 - self.p)

    def clean(self, image: Tensor) -> Tensor:
        """Return the image itself."""
        return image


@dataclass(frozen=True)
class PointSampling:
    r"""One sample per pixel: each ``block x block`` block becomes one of its pixels.

    ``y[i, j] = x[block i + u, block j + v]`` with ``u, v`` uniform in ``0 .. block - 1``,
    drawn for each output pixel, and shared by all channels. The clean pixel is the mean of the
    block. The output is ``block`` times smaller than the input. This is how a renderer with one
    sample per pixel behaves, and the corruption of EE-559's data (with ``block = 8``).

    Args:
        block: side of a block in pixels, at least 1.

    Mean: the block's mean. Variance: the block's (population) variance.

    >>> import torch
    >>> PointSampling(block=2).clean(torch.arange(4.0).view(1, 2, 2)).tolist()
    [[[1.5]]]
    """

    block: int = 8

    def __post_init__(self) -> None:
        whole = isinstance(self.block, int) and self.block >= 1
        _require(self, "block", whole, "a whole number of at least 1")

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy, ``(..., C, H / block, W / block)``."""
        import torch

        blocks = self._blocks(image)  # (..., C, h, w, block * block)
        shape = (*blocks.shape[:-4], 1, *blocks.shape[-3:-1], 1)
        index = torch.randint(self.block**2, shape, generator=generator, device=generator.device)
        index = index.to(image.device)
        return blocks.gather(-1, index.expand(*blocks.shape[:-1], 1)).squeeze(-1)

    def clean(self, image: Tensor) -> Tensor:
        """Return the mean of each block, ``(..., C, H / block, W / block)``."""
        return self._blocks(image).mean(-1)

    def _blocks(self, image: Tensor) -> Tensor:
        *lead, height, width = image.shape
        k = self.block
        if height % k or width % k:
            raise ShapeError("PointSampling", "the image's size", (height, width), f"multiples of {k}")
        blocks = image.reshape(*lead, height // k, k, width // k, k).transpose(-3, -2)
        return blocks.reshape(*lead, height // k, width // k, k * k)


@dataclass(frozen=True)
class PoissonGaussian:
    r"""Photon and read noise: ``y = P(lam x) / lam + sigma n``, ``n ~ N(0, 1)``.

    Args:
        lam: mean number of photons for a pixel of value 1, above 0.
        sigma: standard deviation of the read noise in the image's units, at least 0.

    Mean ``x``, variance ``x / lam + sigma^2``. The image must not be negative.
    Source: Foi et al., Practical Poissonian-Gaussian noise modeling (IEEE TIP 2008).
    """

    lam: float = 100.0
    sigma: float = 0.02

    def __post_init__(self) -> None:
        _require(self, "lam", self.lam > 0, "above 0")
        _require(self, "sigma", self.sigma >= 0, "at least 0")

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy of ``image``."""
        return Gaussian(self.sigma)(Poisson(self.lam)(image, generator), generator)

    def clean(self, image: Tensor) -> Tensor:
        """Return the image itself."""
        return image


@dataclass(frozen=True)
class Camera:
    r"""Noise of a camera's sensor as it remains in a developed photo: coloured, and correlated over channels.

    ``y = x + sqrt(x / lam + (sigma (1 - shadow x))^2) n``: photon and read noise, blurred and mixed over the
    channels, as demosaicing, denoising, colour correction and compression do. ``n`` has unit variance. It is
    white Gaussian noise after a filter that mixes a fine part, a Gaussian blur of ``blur`` pixels, with a
    coarse part, a blur of 2.5 pixels. Photon noise is approximated as Gaussian, and ``n`` is periodic.

    Args:
        lam: mean number of photons for a pixel of value 1, above 0.
        sigma: standard deviation of the read noise in black areas, in the image's units, at least 0.
        blur: standard deviation of the fine part's blur in pixels, in [0, 2]; 0 gives white noise.
        coarse: fraction of the variance in the coarse part, in [0, 1].
        shadow: reduction of the read noise from black to white, in [0, 1], an effect of tone curves; 1 means
            that white has no read noise.
        correlation: correlation of the noise of any two channels, in [0, 1].

    Mean ``x``, variance ``max(x, 0) / lam + (sigma (1 - shadow x))^2``.
    """

    lam: float = 100.0
    sigma: float = 0.02
    blur: float = 0.7
    coarse: float = 0.0
    shadow: float = 0.0
    correlation: float = 0.5

    def __post_init__(self) -> None:
        _require(self, "lam", self.lam > 0, "above 0")
        _require(self, "sigma", self.sigma >= 0, "at least 0")
        _require(self, "blur", 0 <= self.blur <= 2, "in [0, 2]")
        for name in ("coarse", "shadow", "correlation"):
            _require(self, name, 0 <= getattr(self, name) <= 1, "in [0, 1]")

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy of ``image``."""
        import torch

        from n2n_core.noise.camera import Sensor

        _, *others = astuple(self)
        values = torch.tensor([1 / self.lam, *others], device=image.device)
        return Sensor(*values.view(-1, 1, 1, 1))(image, generator)

    def clean(self, image: Tensor) -> Tensor:
        """Return the image itself."""
        return image


@dataclass(frozen=True)
class Blind:
    r"""Noise of a random kind and level for each image, to train blind denoisers.

    A fraction ``white`` of the images gets ``Gaussian`` noise, with sigma uniform in [0, ``sigma``]. The rest
    get ``Camera`` noise with these random parameters: ``lam`` log-uniform in [100, 20000]; sigma
    ``u^2 sigma / 4`` with ``u`` uniform in [0, 1]; ``blur`` uniform in [0, 1.2]; ``coarse`` in [0, 0.7];
    ``shadow`` in [0, 1]; ``correlation`` in [0, 0.9].

    Args:
        sigma: largest standard deviation of the Gaussian noise, in the image's units.
        white: fraction of the images that get Gaussian noise.

    Mean ``x``.
    """

    sigma: float = 55 / 255
    white: float = 0.5

    def __post_init__(self) -> None:
        _require(self, "sigma", self.sigma >= 0, "at least 0")
        _require(self, "white", 0 <= self.white <= 1, "in [0, 1]")

    def __call__(self, image: Tensor, generator: Generator) -> Tensor:
        """Return a noisy copy of ``image``."""
        return self.draw(image, generator)(image, generator)

    def draw(self, image: Tensor, generator: Generator) -> Sensor:
        """Draw a kind and a level of noise for each image, to be shared by several copies."""
        import torch

        from n2n_core.noise.camera import Sensor

        shape = (7, *image.shape[:-3], 1, 1, 1)
        drawn = torch.rand(shape, generator=generator, device=generator.device).to(image.device)
        kind, level, light, blur, coarse, shadow, correlation = drawn
        camera = (kind >= self.white).to(drawn.dtype)
        return Sensor(
            gain=camera * 200 ** (-light) / 100,
            sigma=self.sigma * torch.lerp(level, level.square() / 4, camera),
            blur=1.2 * camera * blur,
            coarse=0.7 * camera * coarse,
            shadow=camera * shadow,
            correlation=0.9 * camera * correlation,
        )

    def clean(self, image: Tensor) -> Tensor:
        """Return the image itself."""
        return image


LARGEST = 1e6
"""Largest absolute value of any parameter. Above it, float32 is too coarse and ``torch.poisson`` fails."""

Corruption = Gaussian | Poisson | PoissonGaussian | Camera | Blind | Bernoulli | PointSampling

NOISES: dict[str, type[Corruption]] = {
    "gaussian": Gaussian,
    "poisson": Poisson,
    "poisson-gaussian": PoissonGaussian,
    "camera": Camera,
    "blind": Blind,
    "bernoulli": Bernoulli,
    "point-sampling": PointSampling,
}


def noise(name: str, **parameters: float) -> Corruption:
    """Return the corruption called ``name``, with ``parameters`` instead of its defaults.

    Raises:
        ConfigError: the name or a parameter is unknown, or a value is out of range.

    >>> noise("gaussian", sigma=0.2)
    Gaussian(sigma=0.2)
    """
    if name not in NOISES:
        raise ConfigError(f"unknown noise {name!r}; known noises: {', '.join(NOISES)}")
    known = [field.name for field in fields(NOISES[name])]
    for key, value in parameters.items():
        if key not in known:
            raise ConfigError(f"noise {name!r} has no parameter {key!r}; it has: {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST:
            raise ConfigError(f"noise {name!r}: {key} is {value!r}, expected a number of at most {LARGEST:g}")
    return NOISES[name](**parameters)  # type: ignore[arg-type]


def _require(corruption: object, name: str, holds: bool, expected: str) -> None:
    if not holds:
        kind = type(corruption).__name__
        raise ConfigError(f"{kind}: {name} is {getattr(corruption, name)!r}, expected {expected}")
