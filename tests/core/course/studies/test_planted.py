"""The planted bug affects only the networks of the study, and only their gradients."""

import pytest
import torch
from torch import Generator, Tensor

from n2n_core import scratch
from n2n_core.course.studies.planted import Unswapped, UnswappedConv2d
from n2n_core.models import architectures
from n2n_core.models.architectures import StridedAutoEncoder
from n2n_core.models.torch_modules import Network
from n2n_core.scratch import Conv2d


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def gradients(network: Network) -> tuple[Tensor, list[Tensor]]:
    """The output, and the gradient of each parameter."""
    assert isinstance(network, scratch.Module)
    output = network(torch.rand(2, 3, 8, 12, generator=seeded(1)))
    network.backward(torch.rand(output.shape, generator=seeded(2)))
    return output, [grad for _, grad in network.param()]


def test_outputs_and_weights_are_right_and_gradients_below_the_last_layer_are_wrong() -> None:
    right, wrong = (kind(hidden=8).build(seeded()) for kind in (StridedAutoEncoder, Unswapped))
    expected, true = gradients(right)
    output, found = gradients(wrong)
    assert output.equal(expected)
    assert right.state_dict().keys() == wrong.state_dict().keys()
    last = len(true) - 2  # weight and bias
    for index, (own, other) in enumerate(zip(found, true, strict=True)):
        assert torch.allclose(own, other, rtol=1e-4, atol=1e-6) == (index >= last)


def test_what_is_handed_down_has_little_to_do_with_the_gradient() -> None:
    x, grad = torch.rand(2, 100, 6, 6, generator=seeded()), torch.randn(2, 100, 4, 4, generator=seeded(1))
    handed = []
    for kind in (Conv2d, UnswappedConv2d):
        layer = kind(100, 100, 3, generator=seeded(2))
        layer(x)
        handed.append(layer.backward(grad).flatten())
    wrong, right = handed
    assert torch.cosine_similarity(wrong, right, dim=0).abs() < 0.1


def test_a_convolution_of_unequal_channels_reads_the_weights_as_they_lie() -> None:
    layer = UnswappedConv2d(4, 6, 1, generator=seeded())
    layer(torch.rand(1, 4, 1, 1, generator=seeded(1)))
    grad = torch.rand(1, 6, 1, 1, generator=seeded(2))
    expected = layer.weight.reshape(4, 6) @ grad.flatten()
    torch.testing.assert_close(layer.backward(grad).flatten(), expected)


def test_the_shipped_framework_has_no_bug_after_a_network_with_it_was_built() -> None:
    Unswapped(hidden=4).build()
    network = architectures.MODELS["scratch"].build()
    assert isinstance(network, scratch.Module)
    assert {type(module).__module__ for module in network.modules()} <= {
        f"n2n_core.scratch.{name}" for name in ("conv", "activation", "upsampling", "sequential")
    }


def test_weights_files_tell_no_difference() -> None:
    assert architectures.describe(Unswapped()) == architectures.describe(StridedAutoEncoder())


@pytest.mark.parametrize("engine", architectures.ENGINES)
def test_the_bug_is_always_on_the_scratch_engine(engine: str) -> None:
    assert isinstance(Unswapped(hidden=4).build(engine=engine), scratch.Module)
