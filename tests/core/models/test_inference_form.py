"""Rewritten networks give the same numbers."""

import pytest
import torch
from torch import Generator

from n2n_core.inference import tiling
from n2n_core.models.architectures import (
    DEPTHS,
    FINAL_WITHOUT_SKIP,
    MODELS,
    Architecture,
    AutoEncoder,
    engines,
)
from n2n_core.models.inference_form import FastAutoEncoder, rewritten

ALL: dict[str, Architecture] = {
    **MODELS, "without skip": FINAL_WITHOUT_SKIP, "deep": DEPTHS[8], "two layers": AutoEncoder((5, 3), False),
    "deep with skip": AutoEncoder((5, 4, 6, 4, 5, 3)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("architecture", "engine"),
    [pytest.param(a, engine, id=f"{name}-{engine}") for name, a in ALL.items() for engine in engines(a)],
)
@pytest.mark.parametrize("size", [(32, 32), (24, 40)])
def test_the_rewritten_network_gives_the_same(
    architecture: Architecture, engine: str, size: tuple[int, int]
) -> None:
    network = architecture.build(Generator().manual_seed(0), engine)
    images = torch.rand(2, 3, *size, generator=Generator().manual_seed(1))
    with torch.no_grad():
        expected = network.eval()(images)
        fast = rewritten(network)
        for _ in range(2):  # what it overwrites is its own
            assert (fast(images) - expected).abs().max() < 1e-6
        assert network(images).equal(expected)
    assert tiling.geometry(fast) == tiling.geometry(network)


def test_the_auto_encoder_is_rewritten() -> None:
    fast = rewritten(MODELS["torch"].build())
    assert isinstance(fast, FastAutoEncoder)
    assert not fast.training
    assert not any(tensor.requires_grad for tensor in fast.state_dict().values())


def test_a_residual_network_is_left_as_it_is() -> None:
    network = AutoEncoder((5, 4, 5, 3), residual=True).build()
    assert rewritten(network) is network
