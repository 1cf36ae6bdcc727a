"""Both engines learn, and continue exactly from a saved state."""

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.errors import ConfigError
from n2n_core.models.architectures import Architecture, AutoEncoder, StridedAutoEncoder
from n2n_core.training.config import TrainConfig
from n2n_core.training.engines import Engine, ScratchEngine, TorchEngine, make_engine
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
EVERY_ENGINE = pytest.mark.parametrize(("engine", "optimizer", "momentum"), EVERY)


def made(
    engine: str, optimizer: str = "adam", momentum: float = 0.0, seed: int = 0, device: torch.device = CPU
) -> Engine:
    network = ENGINES[engine].build(Generator().manual_seed(seed))
    return make_engine(network, TrainConfig(optimizer=optimizer, momentum=momentum), device)


def batches(first: int, last: int) -> Iterator[tuple[Tensor, Tensor]]:
    for seed in range(first, last):
        clean, a, b = torch.rand(3, 4, 3, 8, 12, generator=Generator().manual_seed(seed))
        yield clean + (a - 0.5) / 4, clean + (b - 0.5) / 4


def weights(trained: Engine) -> Tensor:
    return torch.cat([tensor.detach().cpu().flatten() for tensor in trained.network.state_dict().values()])


def train(trained: Engine, first: int, last: int, rate: float) -> Tensor:
    for step, (noisy, target) in enumerate(batches(first, last), first):
        trained.step(noisy, target, rate / (1 + step))
    return weights(trained)


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    loaded: dict[str, Any] = torch.load(buffer, weights_only=True)
    return loaded


def test_every_optimiser_is_tested() -> None:
    assert set(RATES) == set(OPTIMIZERS)


@pytest.mark.parametrize(("engine", "kind"), [("torch", TorchEngine), ("scratch", ScratchEngine)])
def test_the_network_decides_the_engine(engine: str, kind: type[Engine]) -> None:
    assert isinstance(made(engine), kind)


@EVERY_ENGINE
def test_a_step_lowers_the_loss_of_its_batch(engine: str, optimizer: str, momentum: float) -> None:
    trained = made(engine, optimizer, momentum)
    noisy, target = next(batches(0, 1))
    losses = [trained.step(noisy, target, RATES[optimizer]).item() for _ in range(10)]
    assert all(after < before for before, after in pairwise(losses))


@EVERY_ENGINE
def test_the_loss_is_that_of_the_prediction_before_the_step(
    engine: str, optimizer: str, momentum: float
) -> None:
    trained = made(engine, optimizer, momentum)
    noisy, target = next(batches(0, 1))
    expected = (trained.predict(noisy) - target).pow(2).mean()
    loss = trained.step(noisy, target, 0.1)
    torch.testing.assert_close(loss, expected)
    assert loss.shape == ()
    assert not loss.requires_grad


@EVERY_ENGINE
def test_a_rate_of_0_changes_nothing(engine: str, optimizer: str, momentum: float) -> None:
    trained = made(engine, optimizer, momentum)
    before = weights(trained)
    assert train(trained, 0, 3, 0.0).equal(before)


@EVERY_ENGINE
def test_a_saved_state_goes_on_with_the_same_weights(engine: str, optimizer: str, momentum: float) -> None:
    first = made(engine, optimizer, momentum)
    train(first, 0, 4, RATES[optimizer])
    state = through_a_file(first.state_dict())
    expected = train(first, 4, 8, RATES[optimizer])

    second = made(engine, optimizer, momentum, seed=1)
    train(second, 8, 10, RATES[optimizer])
    second.load_state_dict(state)
    assert train(second, 4, 8, RATES[optimizer]).equal(expected)


@EVERY_ENGINE
def test_the_same_start_gives_the_same_weights_whether_autograd_is_on_or_off(
    engine: str, optimizer: str, momentum: float
) -> None:
    results = []
    for autograd in (True, False, True):
        with torch.set_grad_enabled(autograd):
            results.append(train(made(engine, optimizer, momentum), 0, 4, RATES[optimizer]))
            assert torch.is_grad_enabled() == autograd
    assert results[0].equal(results[1])
    assert results[0].equal(results[2])


@pytest.mark.parametrize("engine", ENGINES)
def test_predicting_leaves_no_trace(engine: str) -> None:
    silent, asked = made(engine), made(engine)
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
        make_engine(ENGINES["scratch"].build(), TrainConfig(precision="bfloat16"), CPU)
    trained = make_engine(
        ENGINES["torch"].build(Generator().manual_seed(0)), TrainConfig(precision="bfloat16"), CPU
    )
    noisy, target = next(batches(0, 1))
    losses = [trained.step(noisy, target, 1e-3) for _ in range(10)]
    assert losses[-1] < losses[0]
    assert {tensor.dtype for tensor in (*losses, weights(trained), trained.predict(noisy))} == {torch.float32}


def test_no_step_is_longer_than_the_bound_of_the_gradients_norm() -> None:
    lr, bound = 0.5, 1e-3
    config = TrainConfig(optimizer="sgd", max_norm=bound)
    trained = make_engine(ENGINES["torch"].build(Generator().manual_seed(0)), config, CPU)
    before = weights(trained).clone()
    trained.step(*next(batches(0, 1)), lr)
    assert (weights(trained) - before).norm().item() == pytest.approx(lr * bound, rel=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@EVERY_ENGINE
def test_cuda_agrees_with_the_cpu(engine: str, optimizer: str, momentum: float) -> None:
    device = torch.device("cuda")
    on_gpu, on_cpu = (made(engine, optimizer, momentum, device=place) for place in (device, CPU))
    for noisy, target in batches(0, 3):
        loss = on_gpu.step(noisy.to(device), target.to(device), RATES[optimizer])
        assert loss.is_cuda
        torch.testing.assert_close(
            loss.cpu(), on_cpu.step(noisy, target, RATES[optimizer]), rtol=1e-3, atol=1e-4
        )
    on_gpu.load_state_dict(through_a_file(on_gpu.state_dict()))
    assert on_gpu.predict(noisy.to(device)).is_cuda
