"""The shipped weights are complete, and state their origin."""

import pytest
import torch

from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights
from n2n_core.models.architectures import MODELS, UNet, engines, restore
from n2n_core.models.names import NAME
from tests.pictures import photo

INDEX = weights.read_index()
EACH = pytest.mark.parametrize("name", sorted(INDEX))


def test_every_model_that_can_be_trained_is_shipped() -> None:
    assert set(INDEX) >= set(MODELS)


@EACH
def test_its_file_is_the_one_that_the_index_names(name: str) -> None:
    weights.verify(INDEX[name])
    assert NAME.fullmatch(name)
    assert INDEX[name].path.parent == weights.SHIPPED


@EACH
def test_it_has_a_task_and_a_licence(name: str) -> None:
    assert INDEX[name].task
    assert weights.read(INDEX[name].path)[1].licence


@EACH
def test_it_says_how_it_was_made_and_how_good_it_is(name: str) -> None:
    _, card = weights.read(INDEX[name].path)
    assert {"psnr", "psnr_pooled"} <= set(card.metrics)
    assert {"optimizer", "lr", "epochs", "batch_size", "seed"} <= set(card.recipe)


@EACH
def test_its_weights_are_finite_and_its_output_is_an_image(name: str) -> None:
    network, architecture, _ = weights.load(INDEX[name].path)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    if name in MODELS:
        assert architecture == MODELS[name]
    with torch.no_grad():
        output = network(torch.full((1, 3, 16, 16), 0.5))
    beyond = 0.1 if isinstance(architecture, UNet) else 0.0  # it has no sigmoid
    assert -beyond <= output.min() <= output.max() <= 1 + beyond


@EACH
def test_its_engines_run_it_alike(name: str) -> None:
    image = photo("coffee")[None, :, 100:197, 200:301]
    path = INDEX[name].path
    known = engines(restore(weights.read(path)[1].architecture))
    outputs = [Denoiser.load(path, "cpu", engine)(image) for engine in known]
    assert (outputs[0] - outputs[-1]).abs().max() < 1e-5
    assert (outputs[0] - image).abs().max() > 0.02
