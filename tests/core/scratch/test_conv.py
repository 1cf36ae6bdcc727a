"""Conv2d is torch's convolution, forward and backward."""

import re
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from n2n_core.errors import ShapeError
from n2n_core.scratch import Conv2d, Convolution, ConvTranspose2d, windows
from tests.core.scratch.compare import DEVICES, LAYOUTS, against_torch, by_differences, close, normal
from tests.pairwise import grid

KINDS = [(Conv2d, nn.Conv2d), (ConvTranspose2d, nn.ConvTranspose2d)]
DTYPES = [torch.float32, torch.float64]
PARAMETERS = KINDS, (1, 2, 3, 4, 5), (1, 2, 3), (0, 1, 2), (1, 2), (True, False), DTYPES
GRID = grid(*PARAMETERS)
AXES: list[dict[str, Any]] = [
    {"kernel_size": (2, 3), "stride": (1, 2), "padding": (2, 0), "dilation": (2, 1)},
    {"kernel_size": (5, 1), "stride": (2, 3), "padding": (0, 1)},
    {"kernel_size": (1, 3), "dilation": (3, 2), "padding": (0, 2)},
    {"kernel_size": (3, 3), "stride": (3, 1), "dilation": (1, 3)},
    {"kernel_size": (2, 3), "stride": (2, 3)},
    {"kernel_size": (1, 2), "stride": (1, 2), "dilation": (4, 1)},
    {"kernel_size": (2, 2), "stride": (2, 2), "dilation": (1, 2)},
    {"kernel_size": (2, 2), "stride": (2, 2), "padding": (1, 0)},
]
SIZES = [
    (2, 2, (7, 9)), (3, 3, (8, 10)), (2, 3, (9, 7)), (3, 2, (8, 6)), (5, 3, (9, 12)), (4, 4, (4, 4)),
    (5, 1, (5, 5)), (1, 3, (5, 6)), (2, 2, (2, 3)),
]  # fmt: skip


ENOUGH = "enough for kernel (3, 3), padding (0, 0), dilation (2, 2)"
KIND = pytest.mark.parametrize("kind", KINDS, ids=["Conv2d", "ConvTranspose2d"])
DTYPE = pytest.mark.parametrize("dtype", DTYPES)


def twins(kind: Any, c_in: int, c_out: int, *arguments: Any, **options: Any) -> tuple[Convolution, nn.Module]:
    """The same convolution on the framework and in torch."""
    ours, theirs = kind
    names = ("kernel_size", "stride", "padding", "dilation")
    named = dict(zip(names, arguments, strict=False)) | options
    return ours(c_in, c_out, **named), theirs(c_in, c_out, **named)


def fits(layer: Convolution, size: tuple[int, int]) -> bool:
    """Whether an image of ``size`` gives an output at all: a transposed one's padding can eat it."""
    windows = layer.windows
    return min((windows.extent if layer.transposed else windows.count)(size)) > 0


def named(value: Any) -> str:
    return value[0].__name__ if value in KINDS else str(value)


@pytest.mark.parametrize(
    ("kind", "kernel", "stride", "padding", "dilation", "bias", "dtype"), GRID, ids=named
)
def test_the_grid_of_arguments(
    kind: Any, kernel: int, stride: int, padding: int, dilation: int, bias: bool, dtype: torch.dtype
) -> None:
    pair = twins(kind, 2, 3, kernel, stride, padding, dilation, bias=bias)
    assert fits(pair[0], (11, 10))
    against_torch(*pair, normal(2, 2, 11, 10, dtype=dtype))


@pytest.mark.parametrize("options", AXES, ids=str)
@KIND
def test_each_axis_has_its_own_arguments(kind: Any, options: dict[str, Any]) -> None:
    against_torch(*twins(kind, 3, 2, **options), normal(2, 3, 9, 11))


@pytest.mark.parametrize(("kernel", "stride", "size"), SIZES)
@KIND
def test_sizes_that_the_stride_does_not_divide(
    kind: Any, kernel: int, stride: int, size: tuple[int, int]
) -> None:
    against_torch(*twins(kind, 2, 3, kernel, stride), normal(2, 2, *size))


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"stride": 3, "padding": 1}], ids=str)
@pytest.mark.parametrize(("batch", "c_in", "c_out"), [(1, 2, 3), (3, 1, 1), (1, 4, 1), (2, 3, 3)])
@KIND
def test_any_number_of_images_and_channels(
    kind: Any, options: dict[str, int], batch: int, c_in: int, c_out: int
) -> None:
    against_torch(*twins(kind, c_in, c_out, 2, **options), normal(batch, c_in, 6, 7))


@KIND
def test_one_pixel_of_one_channel(kind: Any) -> None:
    against_torch(*twins(kind, 1, 1, 1), normal(1, 1, 1, 1))


@KIND
@pytest.mark.parametrize("part", [1, 100, 1000])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}], ids=str)
def test_any_number_of_images_at_a_time(
    kind: Any, options: dict[str, int], part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "MAX_ENTRIES", part)
    against_torch(*twins(kind, 2, 3, 3, **options), normal(5, 2, 6, 7))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (2, 2), (1, 1)])
@pytest.mark.parametrize("layout", LAYOUTS)
@KIND
def test_any_memory_layout(kind: Any, layout: Any, kernel: int, stride: int) -> None:
    against_torch(*twins(kind, 2, 3, kernel, stride), normal(2, 2, 7, 6), layout)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (2, 2)])
def test_an_upstream_gradient_may_be_one_repeated_number(kernel: int, stride: int) -> None:
    layer, x = Conv2d(2, 3, kernel, stride), normal(2, 2, 6, 7, dtype=torch.float32)
    ones = torch.ones(layer(x).shape)
    expected = layer.backward(ones)
    layer(x)
    close(layer.backward(torch.ones(()).expand(ones.shape)), expected, "dx")


@DTYPE
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (2, 2)])
@KIND
def test_types_and_devices(kind: Any, kernel: int, stride: int, device: str, dtype: torch.dtype) -> None:
    against_torch(*twins(kind, 5, 4, kernel, stride), normal(2, 5, 8, 9, dtype=dtype).to(device))


@pytest.mark.parametrize("options", AXES, ids=str)
@pytest.mark.parametrize("bias", [True, False])
@KIND
def test_gradients_are_those_of_finite_differences(kind: Any, options: dict[str, Any], bias: bool) -> None:
    by_differences(twins(kind, 2, 3, **options, bias=bias)[0], normal(1, 2, 6, 7))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (2, 2)])
@KIND
def test_no_images_give_no_gradient(kind: Any, kernel: int, stride: int) -> None:
    against_torch(*twins(kind, 2, 3, kernel, stride), normal(0, 2, 6, 6))


@pytest.mark.parametrize(("c_in", "kernel"), [(3, 2), (100, 3), (4, (1, 5))])
@KIND
def test_weights_start_uniform_within_the_documented_bound(
    kind: Any, c_in: int, kernel: int | tuple[int, int]
) -> None:
    channels = (400, c_in) if kind[0].transposed else (c_in, 400)
    layer = kind[0](*channels, kernel, generator=Generator().manual_seed(0))
    bound = layer.weight[0].numel() ** -0.5
    assert layer.bias is not None
    assert -bound <= layer.bias.min() < layer.bias.max() <= bound
    for values in (layer.weight, layer.bias) if len(layer.bias) == 400 else (layer.weight,):
        assert 0.97 * bound < values.max() <= bound
        assert -bound <= values.min() < -0.97 * bound
        assert values.mean().abs() < 5 * bound / (3 * values.numel()) ** 0.5
        assert values.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)


def test_the_generator_decides_the_weights() -> None:
    def weights(seed: int) -> Tensor:
        return Conv2d(2, 3, 3, generator=Generator().manual_seed(seed)).weight

    state = torch.get_rng_state()
    assert weights(0).equal(weights(0))
    assert not weights(0).equal(weights(1))
    assert torch.get_rng_state().equal(state)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("in_channels", 0, "in_channels is 0, expected at least 1"),
        ("out_channels", -2, "out_channels is -2, expected at least 1"),
        ("kernel_size", 0, "kernel_size is (0, 0), expected at least 1"),
        ("kernel_size", (3, -1), "kernel_size is (3, -1), expected at least 1"),
        ("stride", (0, 2), "stride is (0, 2), expected at least 1"),
        ("padding", -1, "padding is (-1, -1), expected at least 0"),
        ("dilation", (1, 0), "dilation is (1, 0), expected at least 1"),
    ],
)
def test_bad_arguments_are_named(argument: str, value: Any, message: str) -> None:
    arguments = {"in_channels": 2, "out_channels": 3, "kernel_size": 3, argument: value}
    with pytest.raises(ShapeError, match=f"^Conv2d: {re.escape(message)}$"):
        Conv2d(**arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 8, 8), "shape is (2, 8, 8), expected (N, 2, H, W)"),
        ((1, 3, 8, 8), "shape is (1, 3, 8, 8), expected (N, 2, H, W)"),
        (
            (1, 2, 8, 4),
            "height and width is (8, 4), expected enough for kernel (3, 3), padding (0, 0), dilation (2, 2)",
        ),
        (
            (1, 2, 0, 8),
            "height and width is (0, 8), expected enough for kernel (3, 3), padding (0, 0), dilation (2, 2)",
        ),
    ],
)
def test_wrong_inputs_are_named(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^Conv2d: the input's {re.escape(message)}$"):
        Conv2d(2, 3, 3, dilation=2)(torch.zeros(shape))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (2, 2)])
@KIND
def test_every_backward_needs_its_own_forward(kind: Any, kernel: int, stride: int) -> None:
    layer, x = kind[0](2, 3, kernel, stride), torch.zeros(1, 2, 6, 6)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=rf"{kind[0].__name__}.backward needs a forward"):
            layer.backward(x)
        layer.backward(layer(x))


@pytest.mark.parametrize("options", AXES, ids=str)
def test_a_transposed_convolution_is_a_convolutions_backward(options: dict[str, Any]) -> None:
    conv = Conv2d(3, 2, **options, bias=False).to(torch.float64)
    transposed = ConvTranspose2d(2, 3, **options, bias=False).to(torch.float64)
    transposed.load_state_dict(conv.state_dict())
    size = conv.windows.extent((3, 4))
    upstream = normal(2, 2, 3, 4)
    conv(normal(2, 3, *size))
    torch.testing.assert_close(transposed(upstream), conv.backward(upstream))


def test_a_transposed_convolution_that_padding_eats_is_named() -> None:
    with pytest.raises(
        ShapeError, match=r"^ConvTranspose2d: the input's height and width is \(1, 4\), expected"
    ):
        ConvTranspose2d(2, 3, 3, padding=2)(torch.zeros(1, 2, 1, 4))


@KIND
@pytest.mark.parametrize("shape", [(1, 3, 9, 9), (1, 3, 2, 2), (2, 3, 4, 4), (1, 2, 4, 4)])
def test_a_gradient_of_another_shape_than_the_outputs_is_refused(kind: Any, shape: tuple[int, ...]) -> None:
    layer, x = kind[0](2, 3, 3, padding=1), torch.zeros(1, 2, 4, 4)
    assert layer(x).shape == (1, 3, 4, 4)
    with pytest.raises(
        ShapeError,
        match=rf"^{kind[0].__name__}.backward: the gradient's shape is \(.*, expected \(1, 3, 4, 4\)$",
    ):
        layer.backward(torch.zeros(shape))
    assert not layer.weight_grad.any()
    assert not layer.bias_grad.any()
