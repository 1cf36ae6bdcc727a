"""The running mean of weights, on both engines."""

import pytest
import torch
from torch import Tensor

from n2n_core.models.architectures import ENGINES, AutoEncoder
from n2n_core.models.torch_modules import Network
from n2n_core.training.ema import EMA

ENGINE = pytest.mark.parametrize("engine", ENGINES)


def network(engine: str) -> Network:
    return AutoEncoder((4, 3), skip=False).build(engine=engine)


def fill(network: Network, value: float) -> None:
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.fill_(value)


def values(state: dict[str, Tensor]) -> set[float]:
    return {round(value, 6) for tensor in state.values() for value in tensor.flatten().tolist()}


@ENGINE
def test_a_steps_weights_enter_by_what_the_decay_leaves(engine: str) -> None:
    net = network(engine)
    fill(net, 1.0)
    average = EMA(net, 0.75)
    fill(net, 2.0)
    for step, mean in ((100, 1.25), (101, 1.4375)):
        average.update(step)
        assert values(average.mean) == {mean}


@ENGINE
def test_the_first_steps_count_more(engine: str) -> None:
    net = network(engine)
    fill(net, 0.0)
    average = EMA(net, 0.999)
    fill(net, 1.0)
    average.update(1)
    assert values(average.mean) == {0.9}


@ENGINE
def test_the_mean_is_lent_to_the_network_and_given_back_after_an_error_too(engine: str) -> None:
    net = network(engine)
    fill(net, 1.0)
    average = EMA(net, 0.9)
    fill(net, 3.0)
    lent: set[float] = set()

    def fail() -> None:
        with average.applied():
            lent.update(values(net.state_dict()))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert lent == {1.0}
    assert values(net.state_dict()) == {3.0}


@ENGINE
def test_without_a_decay_the_network_keeps_its_weights(engine: str) -> None:
    net = network(engine)
    average = EMA(net, 0.0)
    fill(net, 3.0)
    average.update(1)
    with average.applied():
        assert values(net.state_dict()) == {3.0}
