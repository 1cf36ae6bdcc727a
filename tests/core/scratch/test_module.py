"""Behaviour that all layers share: modes, types, states, and no autograd."""

import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from n2n_core.errors import ShapeError
from n2n_core.scratch import (
    MSE,
    AutoEncoder,
    Conv2d,
    ConvTranspose2d,
    Module,
    NearestUpsampling,
    ReLU,
    Sequential,
    Sigmoid,
    Skip,
    Upsampling,
)
from tests.core.scratch.compare import DEVICES

LAYERS: dict[str, Callable[[], Module]] = {
    "ReLU": ReLU,
    "Sigmoid": Sigmoid,
    "Conv2d": lambda: Conv2d(2, 3, 3),
    "Conv2d in patches": lambda: Conv2d(2, 3, 2, stride=2),
    "NearestUpsampling": lambda: NearestUpsampling(2),
    "Upsampling": lambda: Upsampling(2, 3, 3, scale_factor=3),
    "Upsampling in two steps": lambda: Upsampling(2, 3, 3, padding=1, stride=2),
    "ConvTranspose2d": lambda: ConvTranspose2d(2, 3, 3),
    "Skip": lambda: Skip(Conv2d(2, 3, 3), ReLU(), ConvTranspose2d(3, 1, 3)),
    "AutoEncoder": lambda: AutoEncoder((4, 3, 4, 2)),
    "Sequential": lambda: Sequential(Sequential(Conv2d(2, 3, 3), ReLU()), Upsampling(3, 1, 3, padding=1)),
}
LAYER = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def kept(layer: Module) -> list[str]:
    """The attributes, at any depth, that hold tensors and are not parameters."""
    parameters = {id(tensor) for pair in layer.param() for tensor in pair}

    def holds(value: Any) -> bool:
        if isinstance(value, (tuple, list)):
            return any(map(holds, value))
        return isinstance(value, Tensor) and id(value) not in parameters

    return [name for module in layer.modules() for name, value in vars(module).items() if holds(value)]


@LAYER
def test_inference_keeps_nothing(make: Callable[[], Module]) -> None:
    layer = make().eval()
    layer(torch.rand(1, 2, 6, 6))
    held = kept(layer)
    assert set(held) <= {"_cached"}  # which depends on the weights alone, not on the input
    layer(torch.rand(2, 2, 8, 6))
    assert kept(layer) == held


def test_a_loss_in_inference_keeps_nothing() -> None:
    loss = MSE().eval()
    loss(torch.rand(3), torch.rand(3))
    assert kept(loss) == []


@LAYER
def test_both_modes_give_the_same(make: Callable[[], Module]) -> None:
    layer, x = make(), torch.rand(2, 2, 6, 6)
    assert layer.train()(x).equal(layer.eval()(x))


@LAYER
@pytest.mark.parametrize("autograd", [True, False])
def test_autograd_has_no_part(make: Callable[[], Module], autograd: bool) -> None:
    layer = make()
    with torch.set_grad_enabled(autograd):
        x = torch.rand(1, 2, 6, 6, requires_grad=True)
        y = layer(x)
        dx = layer.backward(torch.ones_like(y))
    results = [y, dx, *(tensor for pair in layer.param() for tensor in pair)]
    assert not any(result.requires_grad for result in results)
    assert x.grad is None


@pytest.mark.parametrize("autograd", [True, False])
def test_autograd_has_no_part_in_the_loss(autograd: bool) -> None:
    loss = MSE()
    with torch.set_grad_enabled(autograd):
        value = loss(*(torch.rand(3, requires_grad=True) for _ in range(2)))
    assert not value.requires_grad
    assert not loss.backward().requires_grad


def test_parameters_of_torch_are_copied_without_their_autograd() -> None:
    layer = Conv2d(2, 3, 3)
    layer.load_state_dict(dict(nn.Conv2d(2, 3, 3).named_parameters()))
    assert not layer.weight.requires_grad
    assert not layer(torch.rand(1, 2, 6, 6)).requires_grad


@LAYER
@pytest.mark.parametrize("device", DEVICES)
def test_to_casts_and_moves_parameters_and_gradients(make: Callable[[], Module], device: str) -> None:
    layer = make()
    assert layer.to(device, torch.float64) is layer
    x = torch.rand(1, 2, 6, 6, dtype=torch.float64, device=device)
    y = layer(x)
    for tensor in (y, layer.backward(y), *(tensor for pair in layer.param() for tensor in pair)):
        assert (tensor.dtype, tensor.device) == (x.dtype, x.device)


def test_modes_are_set_at_every_depth_and_returned() -> None:
    layer = Sequential(Sequential(ReLU()))
    assert layer.eval() is layer
    assert [module.training for module in layer.modules()] == [False] * 3
    assert [module.training for module in layer.train().modules()] == [True] * 3
    assert ReLU().training


def test_a_state_is_copied_in() -> None:
    layer, other = Conv2d(2, 3, 3), Conv2d(2, 3, 3).to(torch.float64)
    layer.load_state_dict(other.state_dict())
    assert layer.weight.dtype == torch.float32
    assert layer.weight.equal(other.weight.float())
    other.weight.zero_()
    assert layer.weight.any()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, r"names is \[\], expected \['bias', 'weight'\]"),
        ({"weight": torch.zeros(3, 2, 3, 3)}, r"names is \['weight'\], expected \['bias', 'weight'\]"),
        (
            {"weight": torch.zeros(2, 3, 3, 3), "bias": torch.zeros(3)},
            r"weight is \(2, 3, 3, 3\), expected \(3, 2, 3, 3\)",
        ),
        ({"weight": torch.zeros(3, 2, 3, 3), "bias": torch.zeros(1)}, r"bias is \(1,\), expected \(3,\)"),
    ],
)
def test_a_state_that_does_not_fit_is_named_and_changes_nothing(
    state: dict[str, Tensor], message: str
) -> None:
    layer = Conv2d(2, 3, 3)
    before = layer.weight.clone()
    with pytest.raises(ShapeError, match=f"load_state_dict: {message}"):
        layer.load_state_dict(state)
    assert layer.weight.equal(before)


def test_a_bare_module_computes_nothing_and_has_no_parameters() -> None:
    layer = Module()
    assert layer.param() == []
    assert layer.state_dict() == {}
    for method in (layer, layer.backward):
        with pytest.raises(NotImplementedError):
            method(torch.zeros(1))


@LAYER
def test_inference_forgets_what_training_kept(make: Callable[[], Module]) -> None:
    layer = make()
    layer(torch.rand(1, 2, 6, 6))
    assert kept(layer) != []
    assert set(kept(layer.eval())) <= {"_kept"}


@LAYER
def test_every_backward_needs_its_own_forward(make: Callable[[], Module]) -> None:
    layer, x = make(), torch.rand(1, 2, 6, 6)
    grad = torch.ones_like(layer(x))
    layer.backward(grad)
    with pytest.raises(RuntimeError, match="backward needs a forward pass in training mode before it"):
        layer.backward(grad)


@LAYER
def test_a_gradient_of_another_shape_is_refused(make: Callable[[], Module]) -> None:
    layer = make()
    shape = layer(torch.rand(2, 2, 6, 6)).shape
    with pytest.raises(ShapeError, match=r"backward: the gradient's shape is \(1, .*, expected \(2, "):
        layer.backward(torch.ones(1, *shape[1:]))


@LAYER
def test_autograd_has_no_part_in_a_gradient_that_asks_for_it(make: Callable[[], Module]) -> None:
    layer, x = make(), torch.rand(1, 2, 6, 6)
    y = layer(x)
    with torch.enable_grad():
        assert not layer.backward(torch.ones_like(y, requires_grad=True)).requires_grad


@LAYER
@pytest.mark.parametrize("copy", [deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_is_independent(make: Callable[[], Module], copy: Callable[[Module], Module]) -> None:
    layer, x = make().eval(), torch.rand(1, 2, 6, 6)
    for tensor, _ in layer.param():
        tensor.mul_(1).mul_(1)  # versions ahead of the copy's
    before = layer(x)
    twin = copy(layer)
    assert twin(x).equal(before)
    for tensor, _ in twin.param():
        tensor.zero_()
    assert layer(x).equal(before)
    assert twin(x).equal(twin.train()(x))


@pytest.mark.parametrize("layer", [ReLU(), Sigmoid()])
def test_an_activation_used_twice_is_refused_rather_than_wrong(layer: Module) -> None:
    network = Sequential(layer, Conv2d(2, 2, 1), layer)
    y = network(torch.rand(1, 2, 6, 6))
    with pytest.raises(RuntimeError, match="needs a forward"):
        network.backward(torch.ones_like(y))


def test_an_input_that_was_written_to_is_not_taken_for_what_it_was() -> None:
    layer, x = Conv2d(2, 3, 3), torch.rand(1, 2, 6, 6).contiguous(memory_format=torch.channels_last)
    y = layer(x)
    x.zero_()
    with pytest.raises(RuntimeError, match=r"Conv2d.backward needs a tensor that was modified after"):
        layer.backward(torch.ones_like(y))


def test_an_output_that_was_written_to_is_refused() -> None:
    layer = Sigmoid()
    y = layer(torch.rand(3))
    y.zero_()
    with pytest.raises(RuntimeError, match=r"Sigmoid.backward needs a tensor that was modified after"):
        layer.backward(torch.ones(3))


def test_the_loss_of_nothing_has_an_empty_gradient() -> None:
    loss = MSE()
    loss(torch.rand(0, 3), torch.rand(0, 3))
    assert loss.backward().shape == (0, 3)


def test_relu_stops_an_infinite_gradient() -> None:
    layer = ReLU()
    layer(torch.tensor([-1.0, 1.0]))
    assert layer.backward(torch.tensor([float("inf"), float("inf")])).tolist() == [0.0, float("inf")]


def test_an_argument_of_three_numbers_is_refused() -> None:
    with pytest.raises(
        ShapeError, match=r"an argument is \(3, 4, 5\), expected an int, or one for each axis"
    ):
        Conv2d(2, 3, (3, 4, 5))  # type: ignore[arg-type]
