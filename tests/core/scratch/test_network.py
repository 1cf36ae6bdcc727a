"""The reports' networks are the same networks on torch.nn, also after training."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from n2n_core.models import architectures
from n2n_core.models.architectures import Architecture
from n2n_core.scratch import MSE, SGD, Adam, Module, ReLU, Sequential, Sigmoid, strided_autoencoder
from tests.core.scratch.compare import DEVICES, against_torch, by_differences, normal
from tests.pairwise import grid

SMALL: dict[str, Architecture] = {
    "strided": architectures.StridedAutoEncoder(hidden=6),
    "skip": architectures.AutoEncoder((6, 5, 4, 3)),
    "without skip": architectures.AutoEncoder((6, 5, 4, 3), skip=False),
    "deep": architectures.AutoEncoder((4, 5, 6, 5, 4, 3)),
}
EACH = pytest.mark.parametrize("architecture", SMALL.values(), ids=SMALL)
BY_HAND = {
    name: known for name, known in architectures.MODELS.items() if "scratch" in architectures.engines(known)
}
WHOLE = pytest.mark.parametrize("architecture", BY_HAND.values(), ids=BY_HAND)


def ours(architecture: Architecture, seed: int = 0) -> Module:
    network = architecture.build(Generator().manual_seed(seed), "scratch")
    assert isinstance(network, Module)
    return network


def theirs(architecture: Architecture, seed: int = 0) -> nn.Module:
    network = architecture.build(Generator().manual_seed(seed), "torch")
    assert isinstance(network, nn.Module)
    return network


def test_they_have_the_reports_tensors() -> None:
    shapes = [[tuple(pair[0].shape) for pair in ours(network).param()] for network in BY_HAND.values()]
    assert shapes == [
        [(100, 3, 3, 3), (100,), (100, 100, 3, 3), (100,), (100, 100, 3, 3), (100,), (200, 3, 3, 3), (3,)],
        [(100, 3, 2, 2), (100,), (100, 100, 2, 2), (100,), (100, 100, 3, 3), (100,), (3, 100, 3, 3), (3,)],
    ]  # fmt: skip


@EACH
@pytest.mark.parametrize("size", [(8, 8), (8, 12), (32, 32), (8, 40)])
def test_the_output_has_the_inputs_size_and_lies_between_0_and_1(
    architecture: Architecture, size: tuple[int, int]
) -> None:
    y = ours(architecture)(torch.rand(2, 3, *size))
    assert y.shape == (2, 3, *size)
    assert 0 < y.min() <= y.max() < 1


@EACH
@pytest.mark.parametrize("device", DEVICES)
def test_it_is_the_same_network_in_torch(architecture: Architecture, device: str) -> None:
    against_torch(ours(architecture), theirs(architecture), normal(2, 3, 8, 12).to(device))


@WHOLE
def test_the_whole_one_is_too(architecture: Architecture) -> None:
    against_torch(ours(architecture), theirs(architecture), normal(1, 3, 8, 12))


@EACH
def test_it_starts_from_torchs_weights_if_from_its_seed(architecture: Architecture) -> None:
    network, reference = ours(architecture, seed=3), theirs(architecture, seed=3)
    assert list(network.state_dict()) == list(reference.state_dict())
    for name, tensor in reference.state_dict().items():
        assert network.state_dict()[name].equal(tensor), name


@pytest.mark.parametrize(
    "architecture", [architectures.StridedAutoEncoder(2, 3), architectures.AutoEncoder((3, 2, 2, 2))]
)
def test_gradients_are_those_of_finite_differences(architecture: Architecture) -> None:
    by_differences(
        ours(architecture), normal(1, 2, 4, 8) if architecture.channels == 2 else normal(1, 2, 6, 5), 1e-6
    )


def test_the_generator_decides_the_weights() -> None:
    def weights(seed: int) -> Tensor:
        state = strided_autoencoder(hidden=5, generator=Generator().manual_seed(seed)).state_dict()
        return torch.cat([tensor.flatten() for tensor in state.values()])

    assert weights(0).equal(weights(0))
    assert not weights(0).equal(weights(1))
    assert len(set(weights(0).tolist())) == weights(0).numel()


OPTIMIZERS: dict[str, tuple[Any, Any, dict[str, float]]] = {
    "sgd": (SGD, torch.optim.SGD, {"lr": 0.5}),
    "momentum": (SGD, torch.optim.SGD, {"lr": 0.2, "momentum": 0.9}),
    "adam": (Adam, torch.optim.Adam, {"lr": 1e-3}),
}


def run(
    network: Module, make: Callable[..., Any], options: dict[str, float], dtype: torch.dtype
) -> list[float]:
    """200 steps on the framework; the losses."""
    loss, optimizer, losses = MSE(), make(network.param(), **options), []
    for step in range(200):
        noisy, target = pair(step, dtype)
        losses.append(loss(network(noisy), target).item())
        optimizer.zero_grad()
        network.backward(loss.backward())
        optimizer.step()
    return losses


def run_in_torch(
    network: nn.Module, make: Callable[..., Any], options: dict[str, float], dtype: torch.dtype
) -> list[float]:
    """The same 200 steps with autograd."""
    optimizer, losses = make(network.parameters(), **options), []
    for step in range(200):
        noisy, target = pair(step, dtype)
        with torch.enable_grad():
            loss = nn.functional.mse_loss(network(noisy), target)
        losses.append(loss.item())
        optimizer.zero_grad()
        torch.autograd.backward([loss])
        optimizer.step()
    return losses


def pair(step: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Two noisy copies of four smooth pictures."""
    clean = normal(4, 3, 2, 3, seed=step).repeat_interleave(4, 2).repeat_interleave(4, 3) / 8 + 0.5
    noisy, target = (clean + normal(4, 3, 8, 12, seed=10_000 * copy + step) / 20 for copy in (1, 2))
    return noisy.to(dtype), target.to(dtype)


@pytest.mark.parametrize(
    ("optimizer", "name", "dtype"), grid([*OPTIMIZERS], ("strided", "skip"), (torch.float32, torch.float64))
)
def test_200_steps_lead_to_torchs_weights(name: str, optimizer: str, dtype: torch.dtype) -> None:
    make, make_torch, options = OPTIMIZERS[optimizer]
    network, reference = ours(SMALL[name]).to(dtype), theirs(SMALL[name]).to(dtype)
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    losses = run(network, make, options, dtype)
    assert losses == pytest.approx(run_in_torch(reference, make_torch, options, dtype), abs=1e-4)
    assert losses[-1] < losses[0]
    for name, tensor in reference.state_dict().items():
        assert (network.state_dict()[name] - tensor).abs().max() < 1e-4, name
        assert not start[name].equal(tensor), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_deep_saturated_network_passes_finite_gradients(dtype: torch.dtype) -> None:
    deep = Sequential(*(layer() for _ in range(20) for layer in (Sigmoid, ReLU)))
    x = torch.tensor([-1000.0, -100.0, -89.0, 0.0, 89.0, 100.0, 1000.0], dtype=dtype)
    y = deep(x)
    assert y.isfinite().all()
    assert deep.backward(torch.ones_like(y)).isfinite().all()


def test_saturated_outputs_leave_all_gradients_finite() -> None:
    network = strided_autoencoder(hidden=4, generator=Generator().manual_seed(0))
    for tensor, _ in network.param():
        tensor.mul_(1000)
    y = network(torch.rand(2, 3, 8, 8))
    assert y.isfinite().all()
    assert network.backward(torch.ones_like(y)).isfinite().all()
    assert all(grad.isfinite().all() for _, grad in network.param())
