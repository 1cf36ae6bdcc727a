"""Both engines learn, and go on exactly from a saved state."""

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.errors import ConfigError
from n2n_core.models.architectures import Architecture, AutoEncoder, StridedAutoEncoder
from n2n_core.training.learners import Learner, ScratchLearner, TorchLearner, make_learner
from n2n_core.training.optimizers import OPTIMIZERS

ENGINES: dict[str, Architecture] = {
    "torch": AutoEncoder((6, 5, 4, 3)),
    "scratch": StridedAutoEncoder(hidden=6),
}
RATES = {"adam": 1e-3, "sgd": 0.05}
CPU = torch.device("cpu")
EVERY = [
    pytest.param(engine, optimizer, momentum, id=f"{engine} {optimizer} {momentum}")
    for engine in ENGINES
    for optimizer, momentum in [("adam", 0.0), ("sgd", 0.0), ("sgd", 0.9)]
]
LEARNERS = pytest.mark.parametrize(("engine", "optimizer", "momentum"), EVERY)


def learner(
    engine: str, optimizer: str = "adam", momentum: float = 0.0, seed: int = 0, device: torch.device = CPU
) -> Learner:
    network = ENGINES[engine].build(Generator().manual_seed(seed))
    return make_learner(network, optimizer, momentum, "float32", device)


def batches(first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
    for seed in range(first, last):
        clean, a, b = torch.rand(3, 4, 3, 8, 12, generator=Generator().manual_seed(seed))
        yield clean + (a - 0.5) / 4, clean + (b - 0.5) / 4


def weights(learner: Learner) -> Tensor:
    return torch.cat([tensor.detach().cpu().flatten() for tensor in learner.network.state_dict().values()])


def train(learner: Learner, first: int, last: int, rate: float) -> Tensor:
    for step, (noisy, target) in enumerate(batches(first, last), first):
        learner.step(noisy, target, rate / (1 + step))
    return weights(learner)


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


def test_every_optimiser_is_tested() -> None:
    assert set(RATES) == set(OPTIMIZERS)


@pytest.mark.parametrize(("engine", "kind"), [("torch", TorchLearner), ("scratch", ScratchLearner)])
def test_the_network_decides_the_engine(engine: str, kind: type[Learner]) -> None:
    assert isinstance(learner(engine), kind)


@LEARNERS
def test_a_step_lowers_the_loss_of_its_batch(engine: str, optimizer: str, momentum: float) -> None:
    student = learner(engine, optimizer, momentum)
    noisy, target = next(batches(0, 1))
    losses = [student.step(noisy, target, RATES[optimizer]).item() for _ in range(10)]
    assert all(after < before for before, after in pairwise(losses))


@LEARNERS
def test_the_loss_is_that_of_the_prediction_before_the_step(
    engine: str, optimizer: str, momentum: float
) -> None:
    student = learner(engine, optimizer, momentum)
    noisy, target = next(batches(0, 1))
    expected = (student.predict(noisy) - target).pow(2).mean()
    loss = student.step(noisy, target, 0.1)
    torch.testing.assert_close(loss, expected)
    assert loss.shape == ()
    assert not loss.requires_grad


@LEARNERS
def test_a_rate_of_0_changes_nothing(engine: str, optimizer: str, momentum: float) -> None:
    student = learner(engine, optimizer, momentum)
    before = weights(student)
    assert train(student, 0, 3, 0.0).equal(before)


@LEARNERS
def test_a_saved_state_goes_on_with_the_same_weights(engine: str, optimizer: str, momentum: float) -> None:
    first = learner(engine, optimizer, momentum)
    train(first, 0, 4, RATES[optimizer])
    state = through_a_file(first.state_dict())
    expected = train(first, 4, 8, RATES[optimizer])

    second = learner(engine, optimizer, momentum, seed=1)
    train(second, 8, 10, RATES[optimizer])
    second.load_state_dict(state)
    assert train(second, 4, 8, RATES[optimizer]).equal(expected)


@LEARNERS
def test_the_same_start_gives_the_same_weights_whether_autograd_is_on_or_off(
    engine: str, optimizer: str, momentum: float
) -> None:
    results = []
    for autograd in (True, False, True):
        with torch.set_grad_enabled(autograd):
            results.append(train(learner(engine, optimizer, momentum), 0, 4, RATES[optimizer]))
            assert torch.is_grad_enabled() == autograd
    assert results[0].equal(results[1])
    assert results[0].equal(results[2])


@pytest.mark.parametrize("engine", ENGINES)
def test_predicting_leaves_no_trace(engine: str) -> None:
    silent, asked = learner(engine), learner(engine)
    for noisy, target in batches(0, 3):
        prediction = asked.predict(noisy)
        assert prediction.shape == noisy.shape
        assert not prediction.requires_grad
        asked.step(noisy, target, 1e-3)
        silent.step(noisy, target, 1e-3)
    assert weights(asked).equal(weights(silent))


def test_bfloat16_is_for_torch_alone() -> None:
    with pytest.raises(
        ConfigError, match="precision is 'bfloat16', expected 'float32' for a scratch network"
    ):
        make_learner(ENGINES["scratch"].build(), "adam", 0.0, "bfloat16", CPU)
    student = make_learner(ENGINES["torch"].build(Generator().manual_seed(0)), "adam", 0.0, "bfloat16", CPU)
    noisy, target = next(batches(0, 1))
    losses = [student.step(noisy, target, 1e-3) for _ in range(10)]
    assert losses[-1] < losses[0]
    assert {tensor.dtype for tensor in (*losses, weights(student), student.predict(noisy))} == {torch.float32}


def test_no_step_is_longer_than_the_bound_of_the_gradients_norm() -> None:
    lr, bound = 0.5, 1e-3
    student = make_learner(
        ENGINES["torch"].build(Generator().manual_seed(0)), "sgd", 0.0, "float32", CPU, max_norm=bound
    )
    before = weights(student).clone()
    student.step(*next(batches(0, 1)), lr)
    assert (weights(student) - before).norm().item() == pytest.approx(lr * bound, rel=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@LEARNERS
def test_cuda_agrees_with_the_cpu(engine: str, optimizer: str, momentum: float) -> None:
    device = torch.device("cuda")
    on_gpu, on_cpu = (learner(engine, optimizer, momentum, device=place) for place in (device, CPU))
    for noisy, target in batches(0, 3):
        loss = on_gpu.step(noisy.to(device), target.to(device), RATES[optimizer])
        assert loss.is_cuda
        torch.testing.assert_close(
            loss.cpu(), on_cpu.step(noisy, target, RATES[optimizer]), rtol=1e-3, atol=1e-4
        )
    on_gpu.load_state_dict(through_a_file(on_gpu.state_dict()))
    assert on_gpu.predict(noisy.to(device)).is_cuda
