"""Corruptions have the documented moments, and the generator determines the noise."""

import re
from collections.abc import Callable
from math import exp
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.errors import ConfigError, ShapeError
from n2n_core.noise.corruptions import (
    NOISES,
    Bernoulli,
    Blind,
    Camera,
    Corruption,
    Gaussian,
    PointSampling,
    Poisson,
    PoissonGaussian,
    noise,
)

COPIES = 20_000
IMAGE = torch.rand(3, 4, 6, generator=Generator().manual_seed(9)) + 0.1


def blocks_variance(block: int) -> Callable[[Tensor], Tensor]:
    def variance(image: Tensor) -> Tensor:
        blocks = image.unfold(-2, block, block).unfold(-2, block, block).flatten(-2)
        return blocks.var(-1, unbiased=False)

    return variance


DOCUMENTED: list[tuple[Corruption, Callable[[Tensor], Tensor]]] = [
    (Gaussian(0.3), lambda x: torch.full_like(x, 0.09)),
    (Gaussian(0.0), torch.zeros_like),
    (Poisson(5.0), lambda x: x / 5),
    (Poisson(0.5), lambda x: x / 0.5),
    (PoissonGaussian(5.0, 0.2), lambda x: x / 5 + 0.04),
    (Camera(5.0, 0.2, blur=0.0), lambda x: x / 5 + 0.04),
    (Camera(5.0, 0.2, blur=0.9, correlation=0.8), lambda x: x / 5 + 0.04),
    (Camera(5.0, 0.2, coarse=0.4, shadow=0.6), lambda x: x / 5 + (0.2 * (1 - 0.6 * x.clamp(max=1))) ** 2),
    (Bernoulli(0.3), lambda x: x**2 * 0.3 / 0.7),
    (Bernoulli(0.0), torch.zeros_like),
    (PointSampling(2), blocks_variance(2)),
    (PointSampling(1), blocks_variance(1)),
]
CORRUPTIONS = [
    Gaussian(0.3), Poisson(5.0), PoissonGaussian(5.0, 0.1), Camera(5.0, 0.1), Blind(0.2), Bernoulli(0.3),
    PointSampling(2),
]  # fmt: skip


def copies(corruption: Corruption, image: Tensor = IMAGE, seed: int = 0, count: int = COPIES) -> Tensor:
    return corruption(image.expand(count, *image.shape), Generator().manual_seed(seed))


def test_every_registered_noise_is_tested() -> None:
    assert {type(corruption) for corruption, _ in DOCUMENTED} == set(NOISES.values()) - {Blind}
    assert {type(corruption) for corruption in CORRUPTIONS} == set(NOISES.values())


@pytest.mark.parametrize(
    ("corruption", "variance"), DOCUMENTED, ids=[str(corruption) for corruption, _ in DOCUMENTED]
)
def test_mean_and_variance_are_the_documented_ones(
    corruption: Corruption, variance: Callable[[Tensor], Tensor]
) -> None:
    noisy, expected = copies(corruption), variance(IMAGE)
    error = (noisy.mean(0) - corruption.clean(IMAGE)).abs()
    assert (error <= 5 * (expected / COPIES).sqrt() + 1e-5).all()
    torch.testing.assert_close(noisy.var(0), expected, rtol=0.15, atol=1e-6)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_two_copies_are_independent(corruption: Corruption) -> None:
    generator = Generator().manual_seed(0)
    batch = IMAGE.expand(COPIES, *IMAGE.shape)
    clean = corruption.clean(IMAGE)
    first, second = (corruption(batch, generator) - clean for _ in range(2))
    correlation = (first * second).mean(0) / (first.var(0) * second.var(0)).sqrt()
    assert correlation.abs().max() < 5 / COPIES**0.5


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_the_generator_decides_the_noise(corruption: Corruption) -> None:
    state = torch.get_rng_state()
    first, again, other = (copies(corruption, seed=seed, count=2) for seed in (0, 0, 1))
    assert first.equal(again)
    assert not first.equal(other)
    assert not first[0].equal(first[1])
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_types_stay(corruption: Corruption, lead: tuple[int, ...], dtype: torch.dtype) -> None:
    image = IMAGE.to(dtype).expand(*lead, *IMAGE.shape)
    noisy, clean = corruption(image, Generator().manual_seed(0)), corruption.clean(image)
    height, width = (2, 3) if isinstance(corruption, PointSampling) else (4, 6)
    assert noisy.shape == clean.shape == (*lead, 3, height, width)
    assert noisy.dtype == clean.dtype == dtype


def test_nothing_is_clipped() -> None:
    ends = torch.tensor([0.0, 1.0]).view(1, 1, 2)
    assert copies(Gaussian(0.1), ends).min() < -0.1
    for corruption in (Gaussian(0.1), Poisson(30), Bernoulli(0.5)):
        assert copies(corruption, ends).max() > 1.1


@pytest.mark.parametrize("corruption", [Bernoulli(0.5), PointSampling(2)], ids=str)
def test_all_channels_go_together(corruption: Corruption) -> None:
    grey = torch.rand(1, 8, 8) + 0.1
    noisy = copies(corruption, torch.cat([grey, 2 * grey, 4 * grey]), count=20)
    torch.testing.assert_close(noisy[:, 1:2], 2 * noisy[:, :1])
    torch.testing.assert_close(noisy[:, 2:3], 4 * noisy[:, :1])


def test_a_cameras_noise_is_common_to_channels_and_neighbours_as_it_says() -> None:
    flat = torch.full((3, 32, 32), 0.5)
    noise = copies(Camera(50.0, 0.05, blur=0.8, correlation=0.6), flat, count=200) - flat
    channels = torch.corrcoef(noise.transpose(0, 1).flatten(1))
    assert channels[0, 1].item() == pytest.approx(0.6, abs=0.02)
    assert channels[1, 2].item() == pytest.approx(0.6, abs=0.02)
    for axis in (-2, -1):
        assert similarity(noise, 1, axis) == pytest.approx(exp(-1 / (4 * 0.8**2)), abs=0.02)


def test_a_cameras_noise_has_a_coarse_part() -> None:
    """As developed photos do: 0.65 between neighbours, 0.2 over four pixels."""
    flat = torch.full((3, 64, 65), 0.5)
    noise = copies(Camera(50.0, 0.05, blur=0.6, coarse=0.35), flat, count=100) - flat
    for distance in (1, 2, 4):
        expected = 0.65 * exp(-(distance**2) / (4 * 0.6**2)) + 0.35 * exp(-(distance**2) / (4 * 2.5**2))
        assert similarity(noise, distance) == pytest.approx(expected, abs=0.02)


def similarity(noise: Tensor, distance: int, axis: int = -1) -> float:
    """Correlation of the noise of pixels that far apart."""
    length = noise.shape[axis] - distance
    shifted = noise.narrow(axis, 0, length) * noise.narrow(axis, distance, length)
    return (shifted.mean() / noise.var()).item()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8, 1.0])
def test_blind_noise_is_of_all_levels_and_a_share_of_it_is_white(share: float) -> None:
    flat = torch.full((3, 32, 32), 0.5)
    noise = copies(Blind(0.2, share), flat, count=400) - flat
    levels = noise.flatten(1).std(1)
    neighbours = (noise[..., 1:] * noise[..., :-1]).flatten(1).mean(1) / levels.square()
    white = neighbours.abs() < 0.05
    assert share - 0.1 < white.float().mean() < share + 0.15
    if share > 0:
        assert levels[white].min() < 0.02
        assert 0.18 < levels[white].max() < 0.21
    if share < 1:
        assert levels[~white].median() < 0.06


def test_point_sampling_takes_every_pixel_of_its_own_block_and_no_other() -> None:
    height, width, block = 6, 9, 3
    own = torch.arange(height)[:, None] // block * (width // block) + torch.arange(width) // block
    numbers = torch.arange(height * width).view(1, height, width)
    taken = copies(PointSampling(block), numbers.float(), count=500).long()
    expected = torch.arange(6).view(1, 2, 3).expand_as(taken)
    assert own.flatten()[taken].equal(expected)
    assert set(taken.flatten().tolist()) == set(range(height * width))


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (Gaussian, {"sigma": -0.1}, "Gaussian: sigma is -0.1, expected at least 0"),
        (Gaussian, {"sigma": float("nan")}, "Gaussian: sigma is nan, expected at least 0"),
        (Poisson, {"lam": 0.0}, "Poisson: lam is 0.0, expected above 0"),
        (Bernoulli, {"p": 1.0}, "Bernoulli: p is 1.0, expected in [0, 1)"),
        (Bernoulli, {"p": -0.5}, "Bernoulli: p is -0.5, expected in [0, 1)"),
        (Blind, {"white": 1.5}, "Blind: white is 1.5, expected in [0, 1]"),
        (PointSampling, {"block": 0}, "PointSampling: block is 0, expected a whole number of at least 1"),
        (PointSampling, {"block": 2.5}, "PointSampling: block is 2.5, expected a whole number of at least 1"),
        (
            Gaussian,
            {"sigma": float("inf")},
            "noise 'gaussian': sigma is inf, expected a number of at most 1e+06",
        ),
        (Gaussian, {"sigma": "x"}, "noise 'gaussian': sigma is 'x', expected a number of at most 1e+06"),
        (Gaussian, {"sigma": True}, "noise 'gaussian': sigma is True, expected a number of at most 1e+06"),
        (Poisson, {"lam": 10**400}, f"noise 'poisson': lam is {10**400}, expected a number of at most 1e+06"),
    ],
)
def test_bad_parameters_are_named(kind: type[Corruption], parameters: dict[str, Any], message: str) -> None:
    name = next(name for name, known in NOISES.items() if known is kind)
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        noise(name, **parameters)


@pytest.mark.parametrize("name", NOISES)
def test_noises_are_made_by_name(name: str) -> None:
    assert noise(name) == NOISES[name]()


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown noise 'gausian'; known noises: gaussian, poisson, "):
        noise("gausian")
    with pytest.raises(ConfigError, match="noise 'poisson' has no parameter 'sigma'; it has: lam"):
        noise("poisson", sigma=0.1)


def test_images_that_cannot_be_corrupted_are_named() -> None:
    with pytest.raises(ShapeError, match=r"Poisson: the image's minimum is -1.0, expected at least 0"):
        Poisson()(-torch.ones(1, 2, 2), Generator())
    for act in (PointSampling(2).clean, lambda image: PointSampling(2)(image, Generator())):
        with pytest.raises(ShapeError, match=r"the image's size is \(4, 5\), expected multiples of 2"):
            act(torch.zeros(1, 4, 5))
