"""MSE equals torch's, and keeps NaN and infinity."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from n2n_core.errors import ShapeError
from n2n_core.scratch import MSE
from tests.core.scratch.compare import DEVICES, LAYOUTS, LossTo, against_torch, by_differences, close, normal

SHAPES = [(), (7,), (2, 3), (2, 3, 4, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_torchs_loss(shape: tuple[int, ...]) -> None:
    target = normal(*shape, seed=5)
    against_torch(LossTo(target), lambda x: mse_loss(x, target), normal(*shape))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout(layout: Any) -> None:
    x, target = normal(2, 3, 4, 5), normal(2, 3, 4, 5, seed=5)
    loss = MSE()
    close(loss(layout(x), target), mse_loss(x, target), "loss")
    close(loss(x, layout(target)), mse_loss(x, target), "loss")
    close(loss.backward(), 2 * (x - target) / x.numel(), "dx")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", DEVICES)
def test_types_and_devices(device: str, dtype: torch.dtype) -> None:
    x, target = (normal(3, 4, seed=seed, dtype=dtype).to(device) for seed in (0, 1))
    against_torch(LossTo(target), lambda x: mse_loss(x, target), x)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_that_of_finite_differences(shape: tuple[int, ...]) -> None:
    by_differences(LossTo(normal(*shape, seed=5)), normal(*shape))


def test_the_gradient_is_twice_the_error_over_the_number_of_elements() -> None:
    loss = MSE()
    assert loss(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([[0.0, 2.0], [4.0, 8.0]])).item() == 4.5
    assert loss.backward().tolist() == [[0.5, 0.0], [-0.5, -2.0]]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_not_hidden(bad: float) -> None:
    loss = MSE()
    assert not loss(Tensor([1.0, bad]), Tensor([1.0, 1.0])).isfinite()
    assert loss.backward().isfinite().tolist() == [True, False]


@pytest.mark.parametrize(
    ("shape", "target"), [((2, 3), (3, 2)), ((2, 3), (2, 1)), ((2, 3), (3,)), ((1,), ())]
)
def test_shapes_must_be_equal(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    message = f"MSE: the target's shape is {target}, expected {shape}"
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        MSE()(torch.zeros(shape), torch.zeros(target))
