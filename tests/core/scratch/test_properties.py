"""Properties that hold for any shape and any arguments."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from n2n_core.scratch import Conv2d, Module, NearestUpsampling, Upsampling
from tests.core.scratch.compare import against_torch, filled, normal

few = settings(deadline=None, max_examples=40)


@st.composite
def axes(draw: st.DrawFn) -> dict[str, int]:
    """Arguments of one axis, and a size that they leave at least one window in."""
    axis = {
        "kernel_size": draw(st.integers(1, 4)),
        "stride": draw(st.integers(1, 4)),
        "padding": draw(st.integers(0, 3)),
        "dilation": draw(st.integers(1, 3)),
    }
    span = axis["dilation"] * (axis["kernel_size"] - 1) + 1
    return axis | {"size": draw(st.integers(max(1, span - 2 * axis["padding"]), 12))}


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[dict[str, Any], Tensor]:
    """Arguments of ``Conv2d``, different for the two axes, and a fitting input."""
    first, second = draw(axes()), draw(axes())
    pairs = {name: (first[name], second[name]) for name in first}
    c_in, c_out, batch = (draw(st.integers(1, 3)) for _ in range(3))
    x = normal(batch, c_in, *pairs.pop("size"), seed=draw(st.integers(0, 9)))
    return {"in_channels": c_in, "out_channels": c_out, **pairs}, x


@st.composite
def upsamplings(draw: st.DrawFn) -> tuple[dict[str, Any], Tensor]:
    """Arguments of ``Upsampling`` around report 2's, and a fitting input."""
    c_in, height, width, batch = (
        draw(st.integers(low, high)) for low, high in ((1, 3), (1, 6), (2, 6), (1, 2))
    )
    options = {
        "in_channels": c_in,
        "out_channels": draw(st.integers(1, 3)),
        "kernel_size": draw(st.sampled_from([3, 3, (2, 3), 1])),
        "scale_factor": draw(st.sampled_from([2, 2, 3, (1, 2)])),
        "padding": draw(st.sampled_from([1, 1, (2, 1)])),
        "stride": draw(st.sampled_from([1, 1, 2])),
    }
    return options, normal(batch, c_in, height, width)


def holds_the_adjoint_identity(layer: Module, u: Tensor) -> None:
    """``<v, J u> = <J^T v, u>`` for a linear layer ``J``."""
    y = filled(layer.to(u))(u)
    v = normal(*y.shape, seed=77)
    transposed = layer.backward(v)
    assert transposed.shape == u.shape
    assert (v * y).sum().item() == pytest.approx((transposed * u).sum().item(), rel=1e-9, abs=1e-9)


@few
@given(convolutions(), st.booleans())
def test_a_convolution_is_torchs(case: tuple[dict[str, Any], Tensor], bias: bool) -> None:
    options, x = case
    against_torch(Conv2d(**options, bias=bias), nn.Conv2d(**options, bias=bias), x)


@few
@given(convolutions())
def test_the_output_shape_is_torchs(case: tuple[dict[str, Any], Tensor]) -> None:
    options, x = case
    expected = nn.Conv2d(**options)(x.float()).shape
    assert Conv2d(**options)(x.float()).shape == expected
    assert Conv2d(**options).eval()(x.float()).shape == expected


@few
@given(convolutions())
def test_a_convolutions_backward_is_its_transpose(case: tuple[dict[str, Any], Tensor]) -> None:
    options, x = case
    holds_the_adjoint_identity(Conv2d(**options, bias=False), x)


@few
@given(upsamplings())
def test_an_upsamplings_backward_is_its_transpose(case: tuple[dict[str, Any], Tensor]) -> None:
    options, x = case
    holds_the_adjoint_identity(Upsampling(**options, bias=False), x)


@few
@given(st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(*[st.integers(1, 5)] * 4))
def test_a_nearest_upsamplings_backward_is_its_transpose(
    scale: tuple[int, int], shape: tuple[int, ...]
) -> None:
    holds_the_adjoint_identity(NearestUpsampling(scale), normal(*shape))


@few
@given(convolutions(), st.floats(-3, 3), st.floats(-3, 3))
def test_a_convolution_without_bias_is_linear(
    case: tuple[dict[str, Any], Tensor], a: float, b: float
) -> None:
    options, x = case
    layer: Callable[[Tensor], Tensor] = filled(Conv2d(**options, bias=False).to(x))
    z = normal(*x.shape, seed=55)
    torch.testing.assert_close(layer(a * x + b * z), a * layer(x) + b * layer(z), rtol=1e-9, atol=1e-9)
