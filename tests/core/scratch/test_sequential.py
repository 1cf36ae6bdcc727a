"""Containers: the chain rule, parameters at every depth, and the skip connection."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from n2n_core.errors import ShapeError
from n2n_core.scratch import SGD, Conv2d, ConvTranspose2d, Module, ReLU, Sequential, Sigmoid, Skip, Upsampling
from tests.core.scratch.compare import (
    LAYOUTS,
    TorchSkip,
    against_torch,
    by_differences,
    filled,
    normal,
    torch_upsampling,
    weights_of,
)


def flat() -> tuple[Sequential, nn.Sequential]:
    return (
        Sequential(Conv2d(2, 3, 3), ReLU(), Conv2d(3, 2, 2, stride=2, bias=False), Sigmoid()),
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 2, stride=2, bias=False), nn.Sigmoid()),
    )


def nested() -> tuple[Sequential, nn.Sequential]:
    ours, theirs = flat()
    return (
        Sequential(Sequential(Sequential(ours)), ReLU(), Sequential(Upsampling(2, 3, 3, padding=1))),
        nn.Sequential(
            nn.Sequential(nn.Sequential(theirs)),
            nn.ReLU(),
            nn.Sequential(torch_upsampling(2, 3, 3, padding=1)),
        ),
    )


@pytest.mark.parametrize("make", [flat, nested])
def test_it_is_torchs_sequential(make: Callable[[], tuple[Sequential, nn.Sequential]]) -> None:
    against_torch(*make(), normal(2, 2, 6, 8))


def test_gradients_are_those_of_finite_differences() -> None:
    by_differences(nested()[0], normal(1, 2, 6, 4))


def test_nothing_in_it_changes_nothing() -> None:
    against_torch(Sequential(), nn.Sequential(), normal(2, 3))


def test_parameters_are_named_as_in_torch() -> None:
    layer, reference = nested()
    assert list(layer.state_dict()) == list(reference.state_dict())
    assert "0.0.0.2.weight" in layer.state_dict()
    assert "2.0.conv.bias" in layer.state_dict()


def test_param_gives_the_tensors_of_the_state_in_its_order() -> None:
    layer, _ = nested()
    pairs, state = layer.param(), layer.state_dict()
    assert [tensor.data_ptr() for tensor, _ in pairs] == [tensor.data_ptr() for tensor in state.values()]
    assert all(tensor.shape == grad.shape for tensor, grad in pairs)


def test_sgd_reaches_every_depth() -> None:
    layer = filled(nested()[0])
    before = weights_of(layer.param())
    layer.backward(torch.ones_like(layer(torch.rand(2, 2, 6, 8))))
    SGD(layer.param(), lr=1.0).step()
    assert len(before) == 5
    assert not any(old.equal(new) for old, new in zip(before, weights_of(layer.param()), strict=True))


def test_modules_are_visited_at_every_depth() -> None:
    kinds = [type(module).__name__ for module in nested()[0].modules()]
    deep = ["Sequential"] * 4 + ["Conv2d", "ReLU", "Conv2d", "Sigmoid"]
    assert kinds == [*deep, "ReLU", "Sequential", "Upsampling", "NearestUpsampling", "Conv2d"]


def test_training_mode_reaches_every_depth() -> None:
    layer, _ = nested()
    assert not any(module.training for module in layer.eval().modules())
    assert all(module.training for module in layer.train().modules())


def test_a_torch_state_fits_and_another_does_not() -> None:
    layer, reference = nested()
    layer.load_state_dict(reference.state_dict())
    assert layer.state_dict()["0.0.0.0.weight"].equal(reference.state_dict()["0.0.0.0.weight"])
    with pytest.raises(ShapeError, match=r"load_state_dict: names is .*, expected "):
        layer.load_state_dict(flat()[1].state_dict())


def test_an_error_inside_names_the_layer() -> None:
    layer: Module = Sequential(Sequential(Conv2d(2, 3, 1), Conv2d(2, 3, 1)))
    with pytest.raises(ShapeError, match="Conv2d: the input's shape"):
        layer(torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_skip_is_torchs_concatenation(layout: Callable[[Tensor], Tensor]) -> None:
    ours = Skip(Sequential(Conv2d(2, 3, 3), ReLU(), ConvTranspose2d(3, 4, 3)))
    theirs = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.ConvTranspose2d(3, 4, 3))
    against_torch(ours, TorchSkip(theirs), normal(2, 2, 6, 5), layout)


def test_a_skips_gradients_are_those_of_finite_differences() -> None:
    by_differences(Sequential(Skip(Conv2d(2, 3, 1), ReLU()), Conv2d(5, 2, 1)), normal(1, 2, 3, 4))


def test_a_skip_whose_modules_change_the_size_is_named() -> None:
    message = (
        r"^Skip: the shape of the modules' output is \(2, 3, 4, 3\), expected \(2, C, 6, 5\) like the input$"
    )
    with pytest.raises(ShapeError, match=message):
        Skip(Conv2d(2, 3, 3))(normal(2, 2, 6, 5, dtype=torch.float32))
