"""Report 2's network is the same network on torch.nn, also after training."""

import pytest
import torch
from torch import Generator, Tensor, nn

from n2n_core.scratch import MSE, SGD, ReLU, Sequential, Sigmoid, StridedAutoEncoder
from tests.scratch.compare import DEVICES, against_torch, by_differences, normal, torch_strided


def test_it_has_the_reports_number_of_parameters() -> None:
    network = StridedAutoEncoder().build()
    assert sum(tensor.numel() for tensor, _ in network.param()) == 134_203
    assert [tuple(tensor.shape) for tensor in network.state_dict().values()] == [
        (100, 3, 2, 2), (100,), (100, 100, 2, 2), (100,), (100, 100, 3, 3), (100,), (3, 100, 3, 3), (3,)
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(4, 4), (8, 12), (32, 32), (4, 40)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_output_has_the_inputs_size_and_lies_between_0_and_1(
    channels: int, size: tuple[int, int]
) -> None:
    y = StridedAutoEncoder(channels, hidden=6).build()(torch.rand(2, channels, *size))
    assert y.shape == (2, channels, *size)
    assert 0 < y.min() <= y.max() < 1


@pytest.mark.parametrize("device", DEVICES)
def test_it_is_the_same_network_in_torch(device: str) -> None:
    against_torch(StridedAutoEncoder().build(), torch_strided(3, 100), normal(2, 3, 8, 12).to(device))


def test_gradients_are_those_of_finite_differences() -> None:
    network = StridedAutoEncoder(2, hidden=3).build(Generator().manual_seed(0))
    by_differences(network, normal(1, 2, 4, 8), step=1e-6)


def test_the_generator_decides_the_weights() -> None:
    def weights(seed: int) -> Tensor:
        state = StridedAutoEncoder(hidden=5).build(Generator().manual_seed(seed)).state_dict()
        return torch.cat([tensor.flatten() for tensor in state.values()])

    assert weights(0).equal(weights(0))
    assert not weights(0).equal(weights(1))
    assert len(set(weights(0).tolist())) == weights(0).numel()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_100_steps_lead_to_torchs_weights(momentum: float) -> None:
    network = StridedAutoEncoder(hidden=20).build(Generator().manual_seed(1)).to(torch.float64)
    reference = torch_strided(3, 20).double()
    reference.load_state_dict(network.state_dict())
    start = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    loss, optimizer = MSE(), SGD(network.param(), lr=0.5, momentum=momentum)
    expected = torch.optim.SGD(reference.parameters(), lr=0.5, momentum=momentum)
    for step in range(100):
        noisy, target = (normal(4, 3, 8, 12, seed=2 * step + copy) * 0.2 + 0.5 for copy in (0, 1))
        value = loss(network(noisy), target)
        optimizer.zero_grad()
        network.backward(loss.backward())
        optimizer.step()
        with torch.enable_grad():
            by_torch = nn.functional.mse_loss(reference(noisy), target)
        expected.zero_grad()
        torch.autograd.backward([by_torch])
        expected.step()
        assert value.item() == pytest.approx(by_torch.item(), abs=1e-6)
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
    network = StridedAutoEncoder(hidden=4).build(Generator().manual_seed(0))
    for tensor, _ in network.param():
        tensor.mul_(1000)
    y = network(torch.rand(2, 3, 8, 8))
    assert y.isfinite().all()
    assert network.backward(torch.ones_like(y)).isfinite().all()
    assert all(grad.isfinite().all() for _, grad in network.param())
