"""The checks can fail: each planted bug is rejected, and the right layers pass the same checks.

Most of the bugs are those of report 2's own framework.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from n2n_core.errors import ShapeError
from n2n_core.scratch import (
    MSE,
    SGD,
    Adam,
    Conv2d,
    Convolution,
    ConvTranspose2d,
    NearestUpsampling,
    ReLU,
    Sequential,
    Sigmoid,
    Skip,
    Upsampling,
)
from n2n_core.scratch.fused_upsampling import FusedUpsampling, MinimalFiltering, SummedKernel
from n2n_core.scratch.windows import Windows
from tests.core.scratch import test_conv
from tests.core.scratch.compare import (
    LossTo,
    TorchSkip,
    against_torch,
    by_differences,
    normal,
    same_steps,
    torch_upsampling,
)
from tests.pairwise import pairwise

Plant = Callable[[pytest.MonkeyPatch], object]
TARGET = normal(2, 3, seed=5)
FAR = torch.tensor([-1000.0, -89.0, -1.0, 0.5, 1.0, 1000.0], dtype=torch.float64)
NAN = torch.tensor([[0.0, 1.0, 2.0], [float("nan"), 0.0, 1.0]], dtype=torch.float64)


def convolution(*arguments: Any, size: tuple[int, int] = (6, 7), **options: Any) -> Any:
    x = normal(2, 2, *size)
    return Conv2d(2, *arguments, **options), nn.Conv2d(2, *arguments, **options), x


def nested() -> Any:
    layer = Sequential(Sequential(Conv2d(2, 3, 3)), Conv2d(3, 2, 1))
    return layer, nn.Sequential(nn.Sequential(nn.Conv2d(2, 3, 3)), nn.Conv2d(3, 2, 1)), normal(2, 2, 5, 4)


def nearest(scale: Any) -> Any:
    return NearestUpsampling(scale), nn.Upsample(scale_factor=scale), normal(2, 2, 3, 2)


def transposed(*arguments: Any, **options: Any) -> Any:
    x = normal(2, 2, 4, 3)
    return ConvTranspose2d(2, *arguments, **options), nn.ConvTranspose2d(2, *arguments, **options), x


def fused(way: FusedUpsampling) -> Any:
    layer = Upsampling(2, 3, 3, padding=1)
    layer.fused = way
    return layer, torch_upsampling(2, 3, 3, padding=1), normal(2, 2, 4, 3)


def skip() -> Any:
    return Skip(Conv2d(2, 3, 1)), TorchSkip(nn.Conv2d(2, 3, 1)), normal(2, 2, 5, 4)


def loss(x: Tensor) -> Any:
    return LossTo(TARGET), lambda x: mse_loss(x, TARGET), x


CASES: dict[str, Callable[[], Any]] = {
    "square": lambda: convolution(2, 3),
    "oblong": lambda: convolution(3, 3),
    "biasless": lambda: convolution(3, 3, bias=False),
    "dilated": lambda: convolution(3, 3, padding=2, dilation=2),
    "uneven": lambda: convolution(3, 3, stride=2, size=(6, 8)),
    "patches": lambda: convolution(2, 2, 2),
    "uneven-patches": lambda: convolution(3, 2, 2, size=(7, 5)),
    "nearest": lambda: nearest(2),
    "nearest-2x3": lambda: nearest((2, 3)),
    "padded": lambda: convolution(3, 3, padding=1),
    "transposed": lambda: transposed(3, 3, stride=2),
    "fused": lambda: fused(SummedKernel((3, 3), (2, 2), (1, 1))),
    "differences": lambda: fused(MinimalFiltering()),
    "skip": skip,
    "nested": nested,
    "relu": lambda: (ReLU(), nn.ReLU(), torch.tensor([-1.0, 0.0, 2.0])),
    "sigmoid": lambda: (Sigmoid(), nn.Sigmoid(), FAR),
    "loss": lambda: loss(normal(2, 3)),
    "loss-of-nan": lambda: loss(NAN),
}


def by_torch(case: str) -> None:
    against_torch(*CASES[case]())


def differences(case: str) -> None:
    layer, _, x = CASES[case]()
    by_differences(layer, x)


def steps(momentum: str) -> None:
    same_steps(
        lambda params: SGD(params, 0.1, float(momentum)),
        lambda tensors: torch.optim.SGD(tensors, 0.1, float(momentum)),
    )


def by_all_pairs() -> None:
    for case in pairwise(*test_conv.PARAMETERS):
        test_conv.test_the_grid_of_arguments(*case)


def adam_steps(_: str) -> None:
    same_steps(lambda params: Adam(params, 0.1), lambda tensors: torch.optim.Adam(tensors, 0.1))


def plant(owner: type, name: str, change: Callable[[Any], Any]) -> Plant:
    """``change`` makes a wrong method of the right one."""
    wrong = change(getattr(owner, name))
    return lambda patch: patch.setattr(owner, name, wrong)


def during(owner: type, name: str, **changes: Callable[[Any], Any]) -> Plant:
    """While the method runs, these attributes have other values."""

    def change(method: Any) -> Any:
        def changed(self: Any, *arguments: Any) -> Any:
            right = {key: getattr(self, key) for key in changes}
            vars(self).update({key: make(right[key]) for key, make in changes.items()})
            try:
                return method(self, *arguments)
            finally:
                vars(self).update(right)

        return changed

    return plant(owner, name, change)


def before(owner: type, name: str, act: Callable[..., Any]) -> Plant:
    """``act`` on the layer and the method's arguments, then the method."""
    return plant(owner, name, lambda method: lambda self, *rest: (act(self, *rest), method(self, *rest))[1])


def after(owner: type, name: str, **values: Any) -> Plant:
    """The method, then these attributes get these values."""

    def change(method: Any) -> Any:
        return lambda self, *rest, **options: (method(self, *rest, **options), self.__dict__.update(values))[
            0
        ]

    return plant(owner, name, change)


def result(owner: type, name: str, change: Callable[[Any, Any], Any]) -> Plant:
    """The method's result is changed."""
    return plant(owner, name, lambda method: lambda self, *rest: change(self, method(self, *rest)))


def undilated(conv: Any) -> None:
    conv.windows = replace(conv.windows, dilation=(1, 1))


def of_input(owner: Any, slope: Callable[[Tensor], Tensor]) -> Plant:
    """``backward`` multiplies by a function of the layer's input."""
    keep = before(owner, "forward", lambda layer, x: layer.__dict__.update(x=x))
    multiply = plant(owner, "backward", lambda _: lambda self, grad: grad * slope(self.x))
    return lambda patch: (keep(patch), multiply(patch))


def unswapped(weight: Tensor) -> Tensor:
    return weight.transpose(0, 1).reshape(weight.shape)


def covered(layer: Any, dx: Tensor) -> Tensor:
    kernel, stride = layer.kernel_size[0], layer.stride[0]
    height, width = ((size - kernel) // stride * stride + kernel for size in dx.shape[2:])
    return dx[:, :, :height, :width]


def top_level(layer: Any, _: Any) -> Any:
    return [pair for child in layer.layers if not isinstance(child, Sequential) for pair in child.param()]


BOTH, TORCH = (by_torch, differences), (by_torch,)
BUGS: list[tuple[str, Plant, str, tuple[Callable[[str], None], ...]]] = [
    ("channels are not swapped in dx", during(Conv2d, "backward", weight=unswapped),
     "square oblong patches uneven-patches nested", BOTH),
    ("the kernel is flipped in dx", during(Conv2d, "backward", weight=lambda w: w.flip(2, 3)),
     "oblong patches", BOTH),
    ("the kernel is transposed in dx", during(Conv2d, "backward", weight=lambda w: w.transpose(2, 3)),
     "oblong patches", BOTH),
    ("dilation is ignored", before(Conv2d, "forward", lambda conv, _: undilated(conv)), "dilated", TORCH),
    ("dilation is ignored in dx",
     during(Windows, "scatter", dilation=lambda _: (1, 1), padding=lambda _: (1, 1)), "dilated", BOTH),
    ("dW is of windows one row off",
     plant(Windows, "outer", lambda outer: lambda self, y, x: outer(self, y, x.roll(1, 1))),
     "oblong padded transposed fused", BOTH),
    ("dx has the kernel flipped in a transposed convolution",
     during(ConvTranspose2d, "backward", weight=lambda w: w.flip(2, 3)), "transposed", BOTH),
    ("channels are not swapped in a transposed convolution's dx",
     during(ConvTranspose2d, "backward", weight=unswapped), "transposed", BOTH),
    ("dx starts from 1",
     plant(Windows, "scatter", lambda add: lambda self, y, m, bias, size: add(self, y, m, bias + 1, size)),
     "oblong", BOTH),
    ("dx ends with the last window", result(Conv2d, "backward", covered), "uneven uneven-patches", BOTH),
    ("the bias has no gradient", during(Conv2d, "backward", bias_grad=lambda _: None),
     "oblong patches", BOTH),
    ("there always is a bias",
     after(Conv2d, "__init__", bias=torch.zeros(3), bias_grad=torch.zeros(3)), "biasless", TORCH),
    ("gradients are overwritten",
     before(Convolution, "add_gradients", lambda conv, *_: conv.weight_grad.zero_()),
     "oblong patches transposed fused", TORCH),
    ("the fused upsampling's taps are not the kernel's flipped",
     plant(SummedKernel, "weights", lambda sums: lambda self, kernel: sums(self, kernel.flip(0, 1))),
     "fused", TORCH),
    ("the fused upsampling's copies of the kernel all lie in the corner",
     result(SummedKernel, "_copies", lambda _, copies: copies[:1] * len(copies)), "fused", TORCH),
    ("the fused upsampling's gradient is a mean of the copies'",
     result(SummedKernel, "weights_backward", lambda _, dkernel: dkernel / 4), "fused", BOTH),
    ("differences' axes are exchanged",
     result(MinimalFiltering, "weights", lambda _, sums: sums.transpose(0, 1).contiguous()),
     "differences", TORCH),
    ("differences' gradient has its axes exchanged",
     result(MinimalFiltering, "weights_backward", lambda _, dkernel: dkernel.transpose(0, 1)),
     "differences", BOTH),
    ("differences' signs are lost in dx",
     plant(MinimalFiltering, "_inputs_backward", lambda back: lambda self, dboth: back(self, dboth.abs())),
     "differences", BOTH),
    ("differences see a border that is not zero",
     plant(MinimalFiltering, "_inputs", lambda inputs: lambda self, x: inputs(self, x.roll(1, 1))),
     "differences", BOTH),
    ("a skip's gradient goes through the modules alone",
     result(Skip, "backward", lambda _, dx: dx * 0), "skip", BOTH),
    ("a skip's gradients are exchanged",
     plant(Skip, "backward", lambda back: lambda self, grad: back(self, grad.flip(1))), "skip", BOTH),
    ("upsampling's backward takes the width's scale for both axes",
     during(NearestUpsampling, "backward", scale_factor=lambda scale: scale[1:] * 2), "nearest-2x3", BOTH),
    ("upsampling's backward takes the width for both axes",
     result(NearestUpsampling, "backward", lambda _, dx: dx[:, :, : dx.shape[3]]), "nearest", BOTH),
    ("nested parameters are skipped", result(Sequential, "param", top_level), "nested", BOTH),
    ("sigmoid's slope is a formula in exp(-x)",
     of_input(Sigmoid, lambda x: (-x).exp() / (1 + (-x).exp()) ** 2), "sigmoid", BOTH),
    ("relu's slope at 0 is 1", of_input(ReLU, lambda x: x >= 0), "relu", TORCH),
    ("the loss's gradient lacks the 2", result(MSE, "backward", lambda _, dx: dx / 2), "loss", BOTH),
    ("the loss's gradient is not divided by n",
     result(MSE, "backward", lambda _, dx: dx * dx.numel()), "loss", BOTH),
    ("the loss skips NaN", result(MSE, "forward", lambda self, _: self._saved[0].pow(2).nanmean()),
     "loss-of-nan", TORCH),
    ("SGD adds", during(SGD, "step", lr=lambda lr: -lr), "0.0 0.9", (steps,)),
    ("momentum is ignored", after(SGD, "__init__", momentum=0.0), "0.9", (steps,)),
    ("Adam does not count its steps",
     before(Adam, "step", lambda adam: adam.steps.zero_()), "adam", (adam_steps,)),
    ("Adam's moments are exchanged",
     during(Adam, "step", betas=lambda betas: betas[::-1]), "adam", (adam_steps,)),
]  # fmt: skip
REJECTIONS = [
    pytest.param(break_it, oracle, case, id=f"{bug}, {case} {oracle.__name__}")
    for bug, break_it, cases, oracles in BUGS
    for case in cases.split()
    for oracle in oracles
]


@pytest.mark.parametrize(("break_it", "oracle", "case"), REJECTIONS)
def test_a_planted_bug_is_rejected_and_the_right_layer_passes(
    break_it: Plant, oracle: Callable[[str], None], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle(case)
    break_it(monkeypatch)
    with pytest.raises((AssertionError, ShapeError)):  # by an oracle, or by the layer itself
        oracle(case)


IN_CONVOLUTIONS = {case for case in CASES if isinstance(CASES[case]()[0], Convolution)}
IN_THE_GRID = [
    pytest.param(plant, id=bug) for bug, plant, cases, _ in BUGS if IN_CONVOLUTIONS & {*cases.split()}
]


@pytest.mark.parametrize("break_it", IN_THE_GRID)
def test_all_pairs_of_arguments_find_each_bug_of_convolutions(
    break_it: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it(monkeypatch)
    with pytest.raises((AssertionError, ShapeError)):
        by_all_pairs()
