"""The training form of a network has the same output and gradients as the network."""

import pytest
import torch
from torch import Generator, Tensor, nn

from n2n_core.models import torch_modules
from n2n_core.models.architectures import AutoEncoder, StridedAutoEncoder
from n2n_core.models.training_form import training_form

CPU = torch.device("cpu")
SHAPES = [
    AutoEncoder((6, 5, 4, 3)),
    AutoEncoder((6, 5, 4, 3), skip=False),
    AutoEncoder((4, 3), skip=False),
    AutoEncoder((4, 5, 6, 5, 7, 2)),
    AutoEncoder((5, 4, 6, 4, 5, 3), residual=True),
]


def learned(architecture: AutoEncoder, rewritten: bool) -> list[Tensor]:
    """The output, and the gradients by all parameters and by the input, in float64."""
    network = architecture.build(Generator().manual_seed(0))
    assert isinstance(network, torch_modules.AutoEncoder)
    network.double().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    form = training_form(network, CPU) if rewritten else network
    x, weight = torch.rand(2, 2, 2 + architecture.channels[-1], 15, 12, generator=Generator().manual_seed(1))
    x = x[:, : architecture.channels[-1]].double().requires_grad_()
    output = form(x)
    (output * weight[:, : output.shape[1]]).sum().backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    return [output.detach(), *(grad for grad in (*gradients, x.grad) if grad is not None)]


@pytest.mark.parametrize("architecture", SHAPES, ids=str)
def test_an_auto_encoder_has_the_same_output_and_gradients(architecture: AutoEncoder) -> None:
    own, rewritten = (learned(architecture, choice) for choice in (False, True))
    assert len(own) == len(rewritten) == 2 * len(architecture.channels) + 2
    for expected, found in zip(own, rewritten, strict=True):
        torch.testing.assert_close(found, expected)


def test_weights_that_change_are_followed() -> None:
    network = AutoEncoder((6, 5, 4, 3)).build()
    assert isinstance(network, torch_modules.AutoEncoder)
    form, x = training_form(network, CPU), torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2)
    torch.testing.assert_close(form(x), network(x))


def test_other_networks_and_devices_train_as_they_are() -> None:
    strided = StridedAutoEncoder(hidden=4).build(engine="torch")
    assert isinstance(strided, nn.Module)
    assert training_form(strided, CPU) is strided
    network = AutoEncoder((6, 5, 4, 3)).build()
    assert isinstance(network, nn.Module)
    assert training_form(network, torch.device("cuda")) is network
