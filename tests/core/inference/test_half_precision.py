"""Half precision is used where it is accurate enough, and nowhere else."""

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from n2n_core import scratch
from n2n_core.inference import half_precision
from n2n_core.inference.half_precision import TOLERANCE, pick, probes
from n2n_core.inference.tiling import Geometry, geometry
from n2n_core.models import weights
from n2n_core.models.architectures import MODELS, engines
from n2n_core.models.inference_form import rewritten
from n2n_core.models.torch_modules import Network

CPU = torch.device("cpu")


class Around(nn.Module):
    """The identity by way of ``there`` and ``back``."""

    def __init__(self, there: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.there, self.back = there, back

    def forward(self, x: Tensor) -> Tensor:
        return self.back(self.there(x))


OVERFLOWS = Around(lambda x: x * 1e5, lambda x: x / 1e5)
NAN = Around(lambda x: x * 1e5, lambda x: x - x)
COARSE = Around(lambda x: x + 8, lambda x: x - 8)  # neighbours of float16 at 8 are 2 grey levels apart
FINE = Around(lambda x: x + 1, lambda x: x - 1)
ONE = Geometry(1, 0, 1)


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        pytest.param(name, engine, marks=() if name == "scratch" else pytest.mark.slow)
        for name, network in MODELS.items()
        for engine in engines(network)
    ],
)
def test_shipped_models_are_safe_in_half_precision(name: str, engine: str) -> None:
    network = rewritten(weights.load(weights.find(name).path, engine)[0])
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    half, dtype = pick(network, geometry(network), CPU)
    assert dtype == torch.float16
    assert {tensor.dtype for tensor in half.state_dict().values()} == {torch.float16}
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(after[key].equal(tensor) for key, tensor in before.items())
    assert all(tensor.dtype == torch.float32 for tensor in after.values())


@pytest.mark.parametrize("network", [OVERFLOWS, NAN, COARSE], ids=["overflows", "nan", "coarse"])
def test_unsafe_networks_stay_in_single_precision(
    network: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "n2n.cuda"):
        assert pick(network, ONE, CPU) == (network, torch.float32)
    assert [record.name for record in caplog.records] == ["n2n.cuda"]
    assert "float16 is off by" in caplog.text


def test_safe_networks_do_not(caplog: pytest.LogCaptureFixture) -> None:
    half, dtype = pick(FINE, ONE, CPU)
    assert dtype == torch.float16
    assert half is not FINE
    assert not caplog.records


def test_large_activations_of_the_framework_are_unsafe() -> None:
    first, last = scratch.Conv2d(3, 3, 1, bias=False), scratch.Conv2d(3, 3, 1, bias=False)
    eye = torch.eye(3)[:, :, None, None]
    first.load_state_dict({"weight": eye * 1e5})
    last.load_state_dict({"weight": eye / 1e5})
    assert pick(scratch.Sequential(first, last).eval(), ONE, CPU)[1] == torch.float32
    first.load_state_dict({"weight": eye})
    last.load_state_dict({"weight": eye})
    assert pick(scratch.Sequential(first, last).eval(), ONE, CPU)[1] == torch.float16


class Stubborn(scratch.Module):
    """Takes float32 alone."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x @ torch.eye(x.shape[-1])


class Uncopied(scratch.Module):
    """Cannot be copied: it holds a tensor that autograd made."""

    def __init__(self) -> None:
        self.made = torch.ones(1, requires_grad=True) * 2


@pytest.mark.parametrize("network", [Stubborn(), Uncopied()], ids=["stubborn", "uncopied"])
def test_networks_that_cannot_run_so_stay_too(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    assert pick(network, ONE, CPU) == (network, torch.float32)
    assert len(caplog.records) == 1
    assert "does not run in float16" in caplog.text


def test_the_deviation_is_that_of_the_worst_probe() -> None:
    last = list(probes(ONE))[-1]

    def there(x: Tensor) -> Tensor:
        return x + 1 / 16 if x.dtype == torch.float16 and x.shape == last.shape else x

    network = Around(there, lambda x: x)
    assert half_precision.deviation(network, network, ONE, CPU) == pytest.approx(1 / 16, abs=1e-3)


def test_probes_are_the_same_each_time_and_fit() -> None:
    shape = Geometry(period=8, halo=8, minimum=24)
    first, second = list(probes(shape)), list(probes(shape))
    assert all(a.equal(b) for a, b in zip(first, second, strict=True))
    assert {tuple(pictures.shape[2:]) for pictures in first} == {(24, 24), (40, 24), (64, 64)}
    for black, white, noise, ramp, edges in first:
        assert (black.max(), white.min()) == (0, 1)
        assert set(edges.unique().tolist()) == {0, 1}
        assert min(noise.min(), ramp.min()) >= 0
        assert max(noise.max(), ramp.max()) <= 1
        assert ramp[..., -1].mean() > ramp[..., 0].mean() + 0.5


def test_bfloat16_is_too_coarse_for_any_network() -> None:
    values = torch.linspace(0.5, 1, 10_001)
    assert (values.bfloat16().float() - values).abs().max() > 0.99 * TOLERANCE
    assert (values.half().float() - values).abs().max() < 0.13 * TOLERANCE
