"""Training steps recorded as CUDA graphs give the same results as plain steps."""

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.datasets.scenes import TensorScenes
from n2n_core.inference import tiling
from n2n_core.models import architectures
from n2n_core.training.batches.sampling import Sampler
from n2n_core.training.config import TrainConfig
from n2n_core.training.engines import TorchEngine

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CUDA = torch.device("cuda")


def engine(precision: str = "float32", graph: bool = True) -> TorchEngine:
    network = architectures.UNet((8, 8), (1, 1)).build(Generator().manual_seed(0))
    made = TorchEngine(network, TrainConfig(precision=precision), CUDA)  # type: ignore[arg-type]
    if not graph:
        made.graph = None
    return made


def batches(count: int, seed: int = 0) -> list[tuple[Tensor, Tensor]]:
    generator = Generator().manual_seed(seed)
    made = []
    for number in range(count):
        size = (2 if number % 7 == 6 else 4, 3, 16, 16)  # every seventh is an epoch's last
        clean = torch.rand(size, generator=generator)
        made.append((clean + 0.1, clean))
    return [(noisy.to(CUDA), target.to(CUDA)) for noisy, target in made]


def rate(step: int) -> float:
    return 1e-3 * (1 + step % 3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_graph_learns_what_single_steps_learn(precision: str) -> None:
    recorded, plain = engine(precision), engine(precision, graph=False)
    rtol, atol = (1e-3, 1e-4) if precision == "float32" else (0.05, 1e-3)
    for step, (noisy, target) in enumerate(batches(30)):
        losses = [each.step(noisy, target, rate(step)) for each in (recorded, plain)]
        torch.testing.assert_close(*losses, rtol=rtol, atol=atol)
    assert recorded.graph is not None
    assert recorded.graph.graph is not None
    assert losses[0] < 0.005


def test_a_run_goes_on_from_a_checkpoint() -> None:
    whole, first, second = engine(), engine(), engine()
    for step, batch in enumerate(batches(24)):
        whole.step(*batch, rate(step))
        (first if step < 12 else second).step(*batch, rate(step))
        if step == 11:
            second.load_state_dict(first.state_dict())
    for a, b in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["blind", "gaussian", "poisson", "point-sampling"])
def test_clean_pictures_are_kept_and_made_noisy_on_the_device(kind: str) -> None:
    pictures = torch.rand(3, 3, 40, 48, generator=Generator().manual_seed(0))
    corruption = {"name": kind} | ({"block": 2} if kind == "point-sampling" else {})
    scenes = TensorScenes("clean", pictures, corruption=corruption)
    config = TrainConfig(crop=16, batch_size=64, crops_per_epoch=64, targets="noisy", grey=0.2, rounded=0.5)
    sampler = Sampler(scenes, range(3), config, tiling.Geometry(1, 0, 1), CUDA)
    assert sampler.resident is not None
    generator = Generator().manual_seed(0)
    order = sampler.order(generator)
    noisy, target, *_ = next(sampler.batches(order, generator))
    assert noisy.is_cuda
    assert noisy.shape == target.shape == (64, 3, 16, 16)
    again = Generator().manual_seed(0)
    assert next(sampler.batches(sampler.order(again), again)).noisy.equal(noisy)
    clean = config.model_copy(
        update={"targets": "clean", "corruption": {"name": "gaussian", "sigma": 0.0}, "grey": 0, "rounded": 0}
    )
    crop = Sampler(scenes, range(3), clean, tiling.Geometry(1, 0, 1), CUDA)
    windows = next(crop.batches(order, Generator().manual_seed(0))).noisy
    values = pictures.to(CUDA).flatten().sort().values
    found = values[torch.searchsorted(values, windows.flatten().contiguous()).clamp(max=len(values) - 1)]
    assert found.equal(windows.flatten())
