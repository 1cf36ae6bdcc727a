"""SGD and Adam equal torch's, and their state can be restored."""

from collections.abc import Callable

import pytest
import torch

from n2n_core.scratch import SGD, Adam, Optimizer, Parameter
from tests.core.scratch.compare import DEVICES, normal, same_steps, weights_of

MAKERS: dict[str, Callable[[list[Parameter]], Optimizer]] = {
    "SGD": lambda params: SGD(params, lr=0.1),
    "SGD with momentum": lambda params: SGD(params, lr=0.1, momentum=0.9),
    "Adam": lambda params: Adam(params, lr=0.1),
}
MAKE = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def parameters(device: str = "cpu") -> list[Parameter]:
    return [
        [normal(3, 4).to(device), normal(3, 4, seed=1).to(device)],
        [normal(5).to(device), normal(5).to(device)],
    ]


def go(optimizer: Optimizer, steps: range) -> None:
    for step in steps:
        for _, grad in optimizer.params:
            grad.copy_(normal(*grad.shape, seed=step))
        optimizer.step()


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_is_torchs(momentum: float) -> None:
    same_steps(
        lambda params: SGD(params, lr=0.1, momentum=momentum),
        lambda tensors: torch.optim.SGD(tensors, lr=0.1, momentum=momentum),
    )


@pytest.mark.parametrize(("betas", "eps"), [((0.9, 0.999), 1e-8), ((0.5, 0.9), 1e-3), ((0.0, 0.99), 1e-8)])
def test_adam_is_torchs(betas: tuple[float, float], eps: float) -> None:
    same_steps(
        lambda params: Adam(params, betas=betas, eps=eps),
        lambda tensors: torch.optim.Adam(tensors, betas=betas, eps=eps),
    )


def test_adams_defaults_are_torchs() -> None:
    same_steps(Adam, torch.optim.Adam)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_goes_down(momentum: float) -> None:
    x = torch.tensor([3.0])
    pair = [x, torch.zeros(1)]
    optimizer = SGD([pair], lr=0.05, momentum=momentum)
    for _ in range(200):
        pair[1].copy_(2 * x)
        optimizer.step()
    assert x.abs() < 0.01


@MAKE
def test_zero_grad_zeroes_the_gradients_in_place(make: Callable[[list[Parameter]], Optimizer]) -> None:
    params = parameters()
    make(params).zero_grad()
    assert not any(grad.any() for _, grad in params)


@MAKE
@pytest.mark.parametrize("device", DEVICES)
def test_a_step_changes_the_tensors_in_place_and_no_gradient(
    make: Callable[[list[Parameter]], Optimizer], device: str
) -> None:
    params = parameters(device)
    before, grads = weights_of(params), [grad.clone() for _, grad in params]
    make(params).step()
    assert not any(old.equal(new) for old, (new, _) in zip(before, params, strict=True))
    assert all(old.equal(new) for old, (_, new) in zip(grads, params, strict=True))


@MAKE
def test_copied_buffers_restore_the_memory(make: Callable[[list[Parameter]], Optimizer]) -> None:
    first, second = parameters(), parameters()
    optimizer = make(first)
    go(optimizer, range(5))
    saved = {name: buffer.clone() for name, buffer in optimizer.buffers().items()}
    kept = weights_of(first)
    go(optimizer, range(5, 10))

    restored = make(second)
    go(restored, range(50, 53))
    for (tensor, _), old in zip(second, kept, strict=True):
        tensor.copy_(old)
    for name, buffer in restored.buffers().items():
        buffer.copy_(saved[name])
    go(restored, range(5, 10))
    assert all(a.equal(b) for a, b in zip(weights_of(first), weights_of(second), strict=True))


def test_buffers_are_named() -> None:
    params = parameters()
    assert list(SGD(params, 0.1).buffers()) == []
    assert list(SGD(params, 0.1, momentum=0.9).buffers()) == ["velocity.0", "velocity.1"]
    assert list(Adam(params).buffers()) == ["steps", "first.0", "first.1", "second.0", "second.1"]


def test_parameters_may_come_from_a_generator() -> None:
    params = parameters()
    optimizer = SGD((pair for pair in params), lr=0.1)
    optimizer.zero_grad()
    assert len(optimizer.params) == 2
    assert not params[1][1].any()
