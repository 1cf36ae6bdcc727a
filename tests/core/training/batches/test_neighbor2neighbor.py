"""Neighbor2Neighbor's sub-sampler, and the gradient of its regularisation on both engines."""

from collections import Counter

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.models.architectures import AutoEncoder
from n2n_core.training.batches.neighbor2neighbor import NeighborSubsampler
from n2n_core.training.config import TrainConfig
from n2n_core.training.engines import make_engine

CPU = torch.device("cpu")
GAMMA = 2.5


def test_sub_pictures_take_adjacent_pixels_of_each_cell_every_pair_as_often() -> None:
    count = 60
    cells = torch.arange(4.0).view(1, 1, 2, 2).repeat(count, 2, 3, 5)  # 0 1 / 2 3 in every cell
    cells[:, 1] += 10
    first, second = NeighborSubsampler.draw(cells, Generator().manual_seed(0))(cells)
    assert first.shape == second.shape == (count, 2, 3, 5)
    assert first[:, 1].equal(first[:, 0] + 10)  # all channels alike
    assert second[:, 1].equal(second[:, 0] + 10)
    found = Counter(zip(first[:, 0].flatten().tolist(), second[:, 0].flatten().tolist(), strict=True))
    assert set(found) == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2)}
    assert min(found.values()) > 60


def test_every_pixel_comes_from_its_own_cell() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    image = torch.stack([rows, columns])[None]
    for half in NeighborSubsampler.draw(image, Generator().manual_seed(1))(image):
        cell = (half[0] / 2).floor()
        assert cell[0].equal(torch.arange(3.0).view(3, 1).expand(3, 4))
        assert cell[1].equal(torch.arange(4.0).expand(3, 4))


def test_the_same_generator_gives_the_same_halves() -> None:
    image = torch.rand(2, 3, 8, 8)
    first, again, other = (
        NeighborSubsampler.draw(image, Generator().manual_seed(seed))(image)[0] for seed in (1, 1, 2)
    )
    assert first.equal(again)
    assert not first.equal(other)


def loss_by_the_paper(network: torch.nn.Module, whole: Tensor, subsampler: NeighborSubsampler) -> Tensor:
    """Equation 8 of arXiv:2101.14776, written out."""
    first, second = subsampler(whole)
    with torch.no_grad():
        denoised_first, denoised_second = subsampler(network(whole))
    difference = network(first) - second
    regulariser = ((difference - (denoised_first - denoised_second)) ** 2).mean()
    loss: Tensor = (difference**2).mean() + GAMMA * regulariser
    return loss


@pytest.mark.parametrize("engine", ["torch", "scratch"])
def test_a_step_follows_the_gradient_that_autograd_finds(engine: str) -> None:
    architecture = AutoEncoder((6, 5, 4, 3))
    oracle = architecture.build(Generator().manual_seed(0), "torch")
    assert isinstance(oracle, torch.nn.Module)
    network = architecture.build(Generator().manual_seed(0), engine)
    trained = make_engine(network, TrainConfig(optimizer="sgd"), CPU)
    whole = torch.rand(4, 3, 16, 20, generator=Generator().manual_seed(1))
    subsampler = NeighborSubsampler.draw(whole, Generator().manual_seed(2))
    with torch.enable_grad():
        expected_loss = loss_by_the_paper(oracle, whole, subsampler)
        expected_loss.backward()  # type: ignore[no-untyped-call]
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    loss = trained.step(*subsampler(whole), 1.0, subsampler.expected(trained.predict, whole), GAMMA)
    torch.testing.assert_close(loss, expected_loss.detach())
    for name, parameter in oracle.named_parameters():
        step = before[name] - trained.network.state_dict()[name]
        assert parameter.grad is not None
        torch.testing.assert_close(step, parameter.grad, rtol=1e-3, atol=1e-6)
