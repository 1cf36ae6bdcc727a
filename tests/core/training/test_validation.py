"""Figures of a model, with clean references and without."""

from math import inf, log10

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.datasets.scenes import TensorScenes
from n2n_core.image.rounding import to_bytes
from n2n_core.metrics.psnr import mean_psnr
from n2n_core.training.config import TrainConfig
from n2n_core.training.validation import PIXELS, SIDE, Validation, decibels, score
from tests.pictures import course_pairs
from tests.scenes import SIGMA, MixedScenes, noisy, scenes, smooth

CONFIG = TrainConfig()


def drawn(data: TensorScenes | MixedScenes) -> Validation:
    return Validation.drawn(data, range(len(data)), CONFIG)


def blurred(images: Tensor) -> Tensor:
    """A denoiser that knows nothing."""
    return torch.nn.functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)


def test_clean_references_give_the_psnr_of_8_bit_files() -> None:
    pairs = course_pairs(6)
    validation = Validation.of(pairs)
    before, after = (
        mean_psnr(pairs.input, pairs.target),
        mean_psnr(to_bytes(blurred(pairs.input / 255)), pairs.target),
    )
    assert validation.before() == {"noisy_psnr": before.per_image, "noisy_psnr_pooled": before.pooled}
    metrics = validation.after(blurred(validation.noisy))
    assert metrics == {"psnr": after.per_image, "psnr_pooled": after.pooled}
    assert score(metrics) == after.per_image
    assert validation.noise_floor is not None
    assert -10 * log10(validation.noise_floor) == pytest.approx(before.pooled)


@pytest.mark.parametrize("kind", ["pairs", "bursts"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_two_noisy_shots_tell_the_psnr_that_clean_pictures_would(kind: str, strength: float) -> None:
    clean = smooth(30, 64, 64)
    validation = drawn(TensorScenes(kind, *noisy(clean, 2 if kind == "pairs" else 3)))
    outputs = validation.noisy.lerp(blurred(validation.noisy), strength)
    true = mean_psnr(to_bytes(outputs) / 255, clean, data_range=1.0).pooled
    estimate = validation.after(outputs)["psnr_estimate"]
    assert estimate is not None
    assert estimate == pytest.approx(true, abs=0.2)
    noisy_estimate = validation.before()["noisy_psnr_estimate"]
    assert noisy_estimate == pytest.approx(-20 * log10(SIGMA), abs=0.2)
    assert validation.noise_floor == pytest.approx(SIGMA**2, rel=0.05)


def test_the_loss_of_perfect_outputs_is_the_noise_floor() -> None:
    clean = smooth(30, 64, 64)
    validation = drawn(TensorScenes("pairs", *noisy(clean, 2)))
    assert validation.after(clean)["validation_loss"] == pytest.approx(validation.noise_floor, rel=0.02)


def test_an_error_below_what_can_be_told_is_no_estimate() -> None:
    validation = drawn(scenes("pairs"))
    metrics = validation.after(validation.target)  # better than any model: it knows the noise
    assert metrics["psnr_estimate"] is None
    assert decibels(0.0) is None
    assert score(metrics) > -1e-4


def test_single_pictures_have_a_loss_alone() -> None:
    validation = drawn(scenes("single", 4, 16, 16))
    assert validation.noisy.shape == (4, 3, 8, 8)
    assert validation.before() == {}
    metrics = validation.after(validation.noisy)
    assert set(metrics) == {"validation_loss"}
    assert score(metrics) == -(metrics["validation_loss"] or 0)
    assert validation.noise_floor is None


def test_clean_pictures_get_the_same_noise_each_time() -> None:
    data = scenes("clean", 5)
    first, second = drawn(data), drawn(data)
    assert first.noisy.equal(second.noisy)
    assert first.target.equal(data.pictures[0])
    assert (first.noisy - first.target).std().item() == pytest.approx(SIGMA, rel=0.1)
    assert first.noise_floor is None


def test_windows_are_in_the_middle_and_of_one_size() -> None:
    validation = drawn(MixedScenes([(10, 20), (12, 11)]))
    assert validation.noisy.shape == (2, 3, 10, 10)
    assert validation.noisy[0, 0, 0].tolist() == list(range(5, 15))
    assert validation.target.equal(validation.noisy + 0.5)


def test_large_sets_are_thinned_out_evenly() -> None:
    steps = torch.arange(50.0).view(50, 1, 1, 1).expand(50, 3, SIDE + 3, SIDE)
    validation = drawn(TensorScenes("pairs", steps, steps))
    assert len(validation.noisy) == PIXELS // SIDE**2 == 16
    assert validation.noisy.shape[2:] == (SIDE, SIDE)
    numbers = validation.noisy[:, 0, 0, 0]
    assert numbers[0] == 0
    assert set((numbers[1:] - numbers[:-1]).tolist()) == {3.0, 4.0}


def test_a_psnr_without_bound_is_none_and_the_best_there_is() -> None:
    validation = drawn(scenes("clean"))
    metrics = validation.after(validation.target)
    assert metrics == {"psnr": None, "psnr_pooled": None}
    assert score(metrics) == inf


def test_outputs_are_judged_as_saved_files_would_be() -> None:
    validation = drawn(scenes("pairs"))
    beyond = validation.noisy * 3 - 1
    assert validation.after(beyond) == validation.after(beyond.clamp(0, 1))
    generator = Generator().manual_seed(0)
    assert validation.after(validation.noisy + 1e-5 * torch.rand(3, 16, 16, generator=generator))[
        "validation_loss"
    ] == pytest.approx(validation.after(validation.noisy)["validation_loss"], rel=1e-3)
