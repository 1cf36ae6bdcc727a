"""Computed costs equal torch's own count of operations."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from n2n_core.models.architectures import MODELS, AutoEncoder, model
from n2n_core.models.macs import macs_per_pixel
from n2n_core.models.weights import count_parameters


def counted(network: nn.Module, side: int) -> float:
    """Multiply-accumulates per pixel of a picture of ``side``, borders and all."""
    with torch.device("meta"):
        image = torch.zeros(1, 3, side, side)
    with FlopCounterMode(display=False) as counter:
        network.to("meta")(image)
    return float(counter.get_total_flops() / 2 / side**2)


def shuffling() -> nn.Module:
    """Layers of all kinds: strides, groups, a transposed convolution, a pixel shuffle."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=2, padding=1),
        nn.Conv2d(8, 16, 2, stride=2, groups=2),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, 2, stride=2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.PixelShuffle(2),
        nn.Conv2d(3, 3, 1),
    )


def test_layers_of_all_kinds_cost_what_is_counted() -> None:
    network = shuffling()
    assert macs_per_pixel(network) == counted(network, 64)


@pytest.mark.parametrize("name", MODELS)
def test_models_cost_what_is_counted_but_for_the_border(name: str) -> None:
    network = MODELS[name].build(engine="torch")
    assert isinstance(network, nn.Module)
    assert 0.998 < counted(network, 4096) / macs_per_pixel(network) <= 1


@pytest.mark.parametrize("name", ["torch", "scratch"])
def test_both_engines_cost_the_same(name: str) -> None:
    networks = [model(name).build(engine=engine) for engine in ("torch", "scratch")]
    assert macs_per_pixel(networks[0]) == macs_per_pixel(networks[1])
    assert count_parameters(networks[0]) == count_parameters(networks[1])


def test_the_known_figures() -> None:
    assert macs_per_pixel(MODELS["scratch"].build()) == 28_000
    assert macs_per_pixel(MODELS["torch"].build()) == 188_100
    assert count_parameters(MODELS["torch"].build()) == 188_403
    assert macs_per_pixel(AutoEncoder((4, 3), skip=False).build()) == 2 * 9 * 3 * 4
