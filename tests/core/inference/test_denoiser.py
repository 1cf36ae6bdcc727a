"""Loaded models, with the weights that the project ships."""

import pytest
import torch
from torch import Generator

from n2n_core.datasets.pairs import Pairs
from n2n_core.errors import ShapeError, WeightsError
from n2n_core.image.rounding import to_bytes
from n2n_core.inference import tiling
from n2n_core.inference.denoiser import Denoiser
from n2n_core.metrics.psnr import mean_psnr
from n2n_core.models import weights
from n2n_core.models.architectures import StridedAutoEncoder
from n2n_core.noise.corruptions import Gaussian
from tests.pictures import course_pairs, photo

MODELS = sorted(weights.read_index())


def white_noise() -> Pairs:
    clean = torch.stack([photo(name)[:, 100:196, 100:196] for name in ("coffee", "chelsea", "astronaut")])
    return Pairs(to_bytes(Gaussian(25 / 255)(clean, Generator().manual_seed(0))), to_bytes(clean))


@pytest.mark.parametrize("name", MODELS)
def test_shipped_models_denoise(name: str) -> None:
    pairs = white_noise() if name == "photo" else course_pairs(100)
    denoised = to_bytes(Denoiser.load(weights.find(name).path, "cpu")(pairs.input / 255))
    before, after = mean_psnr(pairs.input, pairs.target), mean_psnr(denoised, pairs.target)
    assert after.per_image > before.per_image + 3
    assert after.pooled > before.pooled + 3


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "scratch" else pytest.mark.slow) for name in MODELS]
)
def test_a_photo_in_tiles_is_the_photo_at_once(name: str) -> None:
    image = photo("chelsea")[None, :, :201, :303]
    network, _, _ = weights.load(weights.find(name).path)
    in_tiles = Denoiser(network, "cpu", window=64)(image)
    at_once = Denoiser(network, "cpu", window=10_000)(image)
    assert in_tiles.shape == image.shape
    torch.testing.assert_close(in_tiles, at_once, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_grey_is_run_as_equal_channels(name: str) -> None:
    denoiser = Denoiser.load(weights.find(name).path, "cpu")
    grey = photo("coffee").mean(0, keepdim=True)[None, :, :40, :52]
    colour = denoiser(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(denoiser(grey), colour.mean(1, keepdim=True))


def test_the_result_does_not_depend_on_autograd() -> None:
    denoiser = Denoiser.load(weights.find("torch").path, "cpu")
    image = photo()[None, :, :32, :32]
    with torch.set_grad_enabled(True):
        first = denoiser(image.clone().requires_grad_())
    with torch.set_grad_enabled(False):
        second = denoiser(image)
    assert not first.requires_grad
    assert first.equal(second)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 2, 8, 8), (1, 3, 0, 8)])
def test_wrong_shapes_are_named(shape: tuple[int, ...]) -> None:
    denoiser = Denoiser.load(weights.find("scratch").path, "cpu")
    with pytest.raises(ShapeError, match=r"expected \(N, 3 or 1, H, W\)"):
        denoiser(torch.zeros(shape))


def test_no_images_give_no_images() -> None:
    denoiser = Denoiser.load(weights.find("scratch").path, "cpu")
    assert denoiser(torch.zeros(0, 3, 8, 8)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("name", MODELS)
def test_geometry_comes_from_the_network(name: str) -> None:
    denoiser = Denoiser.load(weights.find(name).path, "cpu")
    assert denoiser.geometry == tiling.geometry(weights.load(weights.find(name).path)[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", MODELS)
def test_cuda_agrees_with_the_cpu(name: str) -> None:
    image = photo()[None, :, :100, :120]
    path = weights.find(name).path
    on_gpu, on_cpu = Denoiser.load(path, "cuda")(image).cpu(), Denoiser.load(path, "cpu")(image)
    assert (on_gpu - on_cpu).abs().max() < 0.5 / 255


@pytest.mark.parametrize("channels", [1, 4])
def test_networks_of_other_channels_are_refused(channels: int) -> None:
    with pytest.raises(WeightsError, match="3 channels"):
        Denoiser(StridedAutoEncoder(channels, hidden=2).build(), "cpu")
