"""ReLU and Sigmoid are torch's, at the ends of their range too."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from n2n_core.scratch import Module, ReLU, Sigmoid
from tests.core.scratch.compare import DEVICES, LAYOUTS, against_torch, by_differences, normal

TWINS = [(ReLU, nn.ReLU), (Sigmoid, nn.Sigmoid)]
EXTREMES = [0.0, -0.0, 1e-30, -1e-30, 37.0, -37.0, 88.0, -89.0, 104.0, -104.0, 1000.0, -1000.0]


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (2, 3, 4, 5), (0, 3)])
@pytest.mark.parametrize(("kind", "reference"), TWINS)
def test_any_shape(kind: type[Module], reference: type[nn.Module], shape: tuple[int, ...]) -> None:
    against_torch(kind(), reference(), 3 * normal(*shape))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "reference"), TWINS)
def test_any_memory_layout(kind: type[Module], reference: type[nn.Module], layout: Any) -> None:
    against_torch(kind(), reference(), normal(2, 3, 4, 5), layout)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("kind", "reference"), TWINS)
def test_extreme_values(
    kind: type[Module], reference: type[nn.Module], device: str, dtype: torch.dtype
) -> None:
    against_torch(kind(), reference(), torch.tensor(EXTREMES, dtype=dtype, device=device))


@pytest.mark.parametrize("kind", [ReLU, Sigmoid])
def test_gradients_are_those_of_finite_differences(kind: type[Module]) -> None:
    by_differences(kind(), normal(4, 5))


@pytest.mark.parametrize(
    ("x", "slope"), [(-1000.0, 0.0), (-89.0, 0.0), (0.0, 0.25), (89.0, 0.0), (1000.0, 0.0)]
)
def test_a_saturated_sigmoid_passes_no_gradient_and_no_nan(x: float, slope: float) -> None:
    layer = Sigmoid()
    layer(Tensor([x]))
    assert layer.backward(Tensor([1.0])).item() == pytest.approx(slope, abs=1e-30)


@pytest.mark.parametrize(("x", "slope"), [(-1.0, 0.0), (0.0, 0.0), (-0.0, 0.0), (1e-30, 1.0), (2.0, 1.0)])
def test_relus_slope_is_0_up_to_and_at_0(x: float, slope: float) -> None:
    layer = ReLU()
    layer(Tensor([x]))
    assert layer.backward(Tensor([3.0])).item() == 3 * slope


@pytest.mark.parametrize("kind", [ReLU, Sigmoid])
def test_nan_is_not_hidden(kind: type[Module]) -> None:
    assert kind()(Tensor([float("nan")])).isnan().all()
