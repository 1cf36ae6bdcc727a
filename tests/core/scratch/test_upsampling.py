"""Upsampling is torch's, and fused with a convolution it gives the same as both."""

from typing import Any

import pytest
import torch
from torch import nn

from n2n_core.errors import ShapeError
from n2n_core.scratch import SGD, NearestUpsampling, Upsampling, fused_upsampling, windows
from n2n_core.scratch.fused_upsampling import FusedUpsampling, MinimalFiltering, SummedKernel
from tests.core.scratch.compare import (
    DEVICES,
    LAYOUTS,
    against_torch,
    by_differences,
    normal,
    torch_upsampling,
)

SCALES = [1, 2, 3, (1, 2), (3, 1), (2, 3)]
REPORTS: dict[str, Any] = {"kernel_size": 3, "scale_factor": 2, "padding": 1}
WAYS = {"not fused": None, "summed": SummedKernel((3, 3), (2, 2), (1, 1)), "differences": MinimalFiltering()}
EACH_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
GENERAL: list[dict[str, Any]] = [
    {"kernel_size": 3, "scale_factor": 3, "padding": 1},
    {"kernel_size": 3, "scale_factor": 2},
    {"kernel_size": 3, "scale_factor": 2, "padding": 2},
    {"kernel_size": 3, "scale_factor": 2, "padding": 1, "stride": 2},
    {"kernel_size": 3, "scale_factor": 2, "padding": 1, "dilation": (1, 2)},
    {"kernel_size": 5, "scale_factor": 2, "padding": 2},
    {"kernel_size": 4, "scale_factor": (3, 2), "padding": (3, 0)},
    {"kernel_size": 1, "scale_factor": 2},
    {"kernel_size": 2, "scale_factor": (2, 1), "stride": 2},
    {"kernel_size": (1, 3), "scale_factor": (3, 2), "padding": (0, 1)},
    {"kernel_size": (3, 2), "scale_factor": (1, 2), "stride": (2, 1), "padding": (1, 0), "dilation": 2},
]


def reference(options: dict[str, Any], bias: bool = True) -> nn.Module:
    renamed = {"kernel_size": "kernel", "scale_factor": "scale"}
    return torch_upsampling(
        2, 3, **{renamed.get(key, key): value for key, value in options.items()}, bias=bias
    )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (6, 4)])
def test_nearest_upsampling_is_torchs(scale: Any, size: tuple[int, int]) -> None:
    against_torch(NearestUpsampling(scale), nn.Upsample(scale_factor=scale), normal(2, 3, *size))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nearest_upsampling_takes_any_memory_layout(layout: Any) -> None:
    against_torch(NearestUpsampling((2, 3)), nn.Upsample(scale_factor=(2, 3)), normal(2, 3, 4, 5), layout)


@pytest.mark.parametrize("scale", SCALES)
def test_nearest_upsamplings_gradient_is_that_of_finite_differences(scale: Any) -> None:
    by_differences(NearestUpsampling(scale), normal(2, 2, 3, 4))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [REPORTS, *GENERAL], ids=str)
def test_upsampling_is_torchs_two_steps(options: dict[str, Any], bias: bool) -> None:
    layer = Upsampling(2, 3, **options, bias=bias)
    assert (layer.fused is None) == bool({"stride", "dilation"} & set(options))
    against_torch(layer, reference(options, bias), normal(2, 2, 4, 6))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [REPORTS, GENERAL[0], GENERAL[-1]], ids=str)
def test_upsamplings_gradients_are_those_of_finite_differences(options: dict[str, Any], bias: bool) -> None:
    by_differences(Upsampling(2, 3, **options, bias=bias), normal(1, 2, 3, 4))


@pytest.mark.parametrize("options", [REPORTS, GENERAL[0]], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_upsampling_takes_any_memory_layout(layout: Any, options: dict[str, Any]) -> None:
    against_torch(Upsampling(2, 3, **options), reference(options), normal(2, 2, 5, 4), layout)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", [REPORTS, GENERAL[0]], ids=str)
def test_types_and_devices(options: dict[str, Any], device: str, dtype: torch.dtype) -> None:
    against_torch(Upsampling(2, 3, **options), reference(options), normal(2, 2, 5, 4, dtype=dtype).to(device))


def test_padding_as_wide_as_the_kernel_takes_two_steps() -> None:
    options: dict[str, Any] = {"kernel_size": 3, "scale_factor": 2, "padding": (1, 3)}
    layer = Upsampling(2, 3, **options)
    assert layer.fused is None
    against_torch(layer, reference(options), normal(2, 2, 4, 6))


def fused_by(way: FusedUpsampling | None, c_in: int, c_out: int, bias: bool = True) -> Upsampling:
    layer = Upsampling(c_in, c_out, **REPORTS, bias=bias)
    layer.fused = way
    return layer


@EACH_WAY
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 1), (3, 6), (8, 8)])
@pytest.mark.parametrize(("c_in", "c_out"), [(2, 3), (3, 3), (4, 1), (1, 1)])
@pytest.mark.parametrize("bias", [True, False])
def test_fused_upsampling_is_torchs(
    way: FusedUpsampling | None, c_in: int, c_out: int, size: tuple[int, int], bias: bool
) -> None:
    layer, expected = (
        fused_by(way, c_in, c_out, bias),
        torch_upsampling(c_in, c_out, 3, padding=1, bias=bias),
    )
    against_torch(layer, expected, normal(2, c_in, *size))


@EACH_WAY
@pytest.mark.parametrize("size", [(1, 1), (2, 3)])
def test_fused_gradients_are_those_of_finite_differences(
    way: FusedUpsampling | None, size: tuple[int, int]
) -> None:
    by_differences(fused_by(way, 2, 3), normal(1, 2, *size))


@EACH_WAY
@pytest.mark.parametrize("part", [1, 500])
def test_fused_upsampling_takes_any_number_of_images_at_a_time(
    way: FusedUpsampling | None, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MAX_ENTRIES", part)
    monkeypatch.setattr(fused_upsampling, "MAX_ENTRIES", part)
    against_torch(fused_by(way, 2, 3), torch_upsampling(2, 3, 3, padding=1), normal(5, 2, 3, 4))


@EACH_WAY
def test_fused_upsampling_takes_no_images(way: FusedUpsampling | None) -> None:
    against_torch(fused_by(way, 2, 3), torch_upsampling(2, 3, 3, padding=1), normal(0, 2, 3, 4))


@EACH_WAY
@pytest.mark.parametrize("layout", LAYOUTS)
def test_fused_upsampling_takes_any_memory_layout(way: FusedUpsampling | None, layout: Any) -> None:
    against_torch(fused_by(way, 2, 3), torch_upsampling(2, 3, 3, padding=1), normal(2, 2, 5, 4), layout)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("device", DEVICES)
def test_many_channels_take_differences(device: str, dtype: torch.dtype) -> None:
    layer = Upsampling(64, 65, **REPORTS)
    assert isinstance(layer.fused, MinimalFiltering)
    assert isinstance(Upsampling(100, 3, **REPORTS).fused, SummedKernel)
    against_torch(layer, torch_upsampling(64, 65, 3, padding=1), normal(2, 64, 5, 4, dtype=dtype).to(device))


CHANGES: dict[str, Any] = {
    "load_state_dict": lambda layer: layer.load_state_dict(Upsampling(2, 3, **REPORTS).state_dict()),
    "in place": lambda layer: layer.conv.weight.mul_(2),
    "a view": lambda layer: layer.conv.weight[0].zero_(),
    "to": lambda layer: layer.to(torch.float64),
    "sgd": lambda layer: SGD([[layer.conv.weight, layer.conv.weight]], lr=0.5).step(),
    "training": lambda layer: layer.train().conv.weight.add_(1),
}


@EACH_WAY
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_inference_follows_every_change_of_the_weights(change: Any, way: FusedUpsampling | None) -> None:
    layer, x = fused_by(way, 2, 3), normal(1, 2, 4, 5, dtype=torch.float32)
    before = layer.eval()(x)
    assert layer(x).equal(before)
    change(layer)
    x = x.to(layer.conv.weight.dtype)
    after = layer.eval()(x)
    assert after.equal(layer.train()(x))
    assert change is CHANGES["to"] or not after.equal(before)


def test_inference_works_with_weights_that_have_no_version() -> None:
    with torch.inference_mode():
        layer, x = Upsampling(2, 3, **REPORTS).eval(), torch.rand(1, 2, 4, 5)
        assert layer(x).equal(layer.train()(x))


@pytest.mark.parametrize("scale", [0, -1, (2, 0)])
def test_a_bad_scale_is_named(scale: Any) -> None:
    with pytest.raises(ShapeError, match=r"^NearestUpsampling: scale_factor is .*, expected at least 1$"):
        Upsampling(2, 3, 3, scale_factor=scale)


@pytest.mark.parametrize("options", [REPORTS, GENERAL[0]], ids=str)
@pytest.mark.parametrize("shape", [(2, 4, 4), (1, 3, 4, 4), (1, 2, 0, 4)])
def test_wrong_inputs_are_named(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match=r"^(Conv2d|NearestUpsampling): the input's .* is .*, expected "):
        Upsampling(2, 3, **options)(torch.zeros(shape))


@pytest.mark.parametrize("options", [REPORTS, GENERAL[0]], ids=str)
def test_every_backward_needs_its_own_forward(options: dict[str, Any]) -> None:
    layer, x = Upsampling(2, 3, **options), torch.zeros(1, 2, 4, 4)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="backward needs a forward"):
            layer.backward(layer.eval()(x))
        layer.backward(layer.train()(x))
