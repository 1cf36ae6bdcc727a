"""The training loop, for both engines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import SHOTS
from n2n_core.errors import ConfigError, DataError, DivergedError, WeightsError
from n2n_core.image.rounding import to_bytes
from n2n_core.inference.denoiser import Denoiser
from n2n_core.metrics.psnr import mean_psnr
from n2n_core.models import architectures, weights
from n2n_core.training import loop
from n2n_core.training.batches.sampling import split
from n2n_core.training.config import TrainConfig
from n2n_core.training.run import learning_rate
from n2n_core.training.run_folder import checkpoints, sample_sheet
from n2n_core.training.run_folder.event_log import Event
from n2n_core.training.run_folder.sample_sheet import CELL, GAP
from tests.pairwise import grid
from tests.pictures import opened
from tests.scenes import noisy, scenes, smooth

RUNS = [
    (name, engine) for name, known in architectures.MODELS.items() for engine in architectures.engines(known)
]
EACH = pytest.mark.parametrize("model", architectures.MODELS)
FAST = ("torch", "photo")
FEW = pytest.mark.parametrize(
    "model",
    [pytest.param(m, marks=() if m in FAST else pytest.mark.slow) for m in architectures.MODELS],
)
ENGINE = pytest.mark.parametrize("engine", architectures.ENGINES)
KIND = pytest.mark.parametrize("kind", SHOTS)
SMALL = TrainConfig(epochs=3, batch_size=8, lr=1e-3)


def flat_pairs(count: int, clean: bool = False, size: int = 8, seed: int = 0) -> Pairs:
    """Pictures of one colour each, with Gaussian noise: learnt in seconds."""
    generator = Generator().manual_seed(seed)
    colours = (torch.rand(count, 3, 1, 1, generator=generator) * 0.6 + 0.2).expand(count, 3, size, size)
    first, second = (
        to_bytes(colours + 0.1 * torch.randn(colours.shape, generator=generator)) for _ in range(2)
    )
    return Pairs(first, to_bytes(colours) if clean else second)


def fit(config: TrainConfig, folder: Path, **options: Any) -> bool:
    return loop.fit(config, flat_pairs(40), flat_pairs(12, clean=True, seed=1), folder, **options)


def stop_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / loop.LOG).read_text().splitlines()]


def tensors(folder: Path) -> dict[str, Tensor]:
    return weights.read(folder / loop.MODEL)[0]


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


@pytest.mark.parametrize(
    ("model", "engine"),
    [run if run[0] in ("torch", "scratch") else pytest.param(*run, marks=pytest.mark.slow) for run in RUNS],
)
def test_noisy_pairs_alone_teach_to_denoise(model: str, engine: str, tmp_path: Path) -> None:
    assert fit(SMALL.model_copy(update={"model": model, "engine": engine, "epochs": 30}), tmp_path)
    last = log(tmp_path)[-1]
    least = 1.2 if model in ("unet", "photo") else 1.5  # at the lowest level, 8x8 pictures are of 2x2 pixels
    assert last["psnr"] > last["noisy_psnr"] + least
    assert last["psnr_pooled"] > last["noisy_psnr_pooled"] + least


@FEW
def test_a_recipe_repeats_to_the_bit_and_a_seed_changes_it(model: str, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"model": model})
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        fit(config.model_copy(update={"seed": seed}), tmp_path / name)
    assert same(tensors(tmp_path / "first"), tensors(tmp_path / "again"))
    assert not same(tensors(tmp_path / "first"), tensors(tmp_path / "other"))


@pytest.mark.parametrize(
    ("steps", "model", "optimizer"),
    grid((0, 3, 5, 7, 14), ["torch", "scratch"], ("adam", "sgd"))
    + [
        pytest.param(5, model, "adam", marks=pytest.mark.slow)
        for model in architectures.MODELS
        if model not in ("torch", "scratch")
    ],
)
def test_a_stopped_run_resumes_to_the_bit(model: str, optimizer: str, steps: int, tmp_path: Path) -> None:
    config = SMALL.model_copy(
        update={"model": model, "optimizer": optimizer, "momentum": 0.9 if optimizer == "sgd" else 0.0}
    )
    fit(config, tmp_path / "whole")
    assert not fit(config, tmp_path / "parts", should_stop=stop_after(steps))
    assert fit(config, tmp_path / "parts", resume=True)
    assert same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"))
    ends = [log(tmp_path / name)[-1] for name in ("whole", "parts")]
    assert [end["event"] for end in ends] == ["end", "end"]
    assert ends[0]["psnr"] == ends[1]["psnr"]


@pytest.mark.parametrize(("kind", "engine", "steps"), grid([*SHOTS], [*architectures.ENGINES], (2, 6, 7)))
def test_a_stopped_run_on_any_kind_resumes_to_the_bit(
    kind: str, engine: str, steps: int, tmp_path: Path
) -> None:
    data = scenes(kind, 10, 20, 24)
    config = SMALL.model_copy(
        update={
            "model": "scratch",
            "engine": engine,
            "epochs": 2,
            "batch_size": 4,
            "crop": 16,
            "crops_per_epoch": 24,
        }
    )
    loop.fit(config, data, None, tmp_path / "whole")
    assert not loop.fit(config, data, None, tmp_path / "parts", should_stop=stop_after(steps))
    assert loop.fit(config, data, None, tmp_path / "parts", resume=True)
    for name in (loop.MODEL, loop.BEST):
        whole, parts = (weights.read(tmp_path / run / name) for run in ("whole", "parts"))
        assert same(whole[0], parts[0])
        assert whole[1].metrics == parts[1].metrics


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "pairs" else pytest.mark.slow) for kind in SHOTS]
)
def test_every_kind_teaches_to_denoise_pictures_never_seen(kind: str, tmp_path: Path) -> None:
    config = SMALL.model_copy(
        update={"lr": 2e-3, "epochs": 4, "batch_size": 4, "crop": 24, "crops_per_epoch": 120}
    )
    assert loop.fit(config, scenes(kind, 30, 24, 24), None, tmp_path)
    clean = smooth(10, 32, 32, seed=9)
    (shot,) = noisy(clean, 1, seed=9)
    denoised = Denoiser.load(tmp_path / loop.BEST, "cpu")(shot)
    before, after = (mean_psnr(to_bytes(images), to_bytes(clean)).per_image for images in (shot, denoised))
    assert after > before + 1


@pytest.mark.slow
def test_the_estimate_of_a_run_is_close_to_what_clean_pictures_tell(tmp_path: Path) -> None:
    config = SMALL.model_copy(
        update={"epochs": 3, "batch_size": 8, "crop": 16, "crops_per_epoch": 80, "validation": 0.5}
    )
    data, clean = scenes("pairs", 40, 48, 48), smooth(40, 48, 48)
    loop.fit(config, data, None, tmp_path)
    _, held_out = split(40, 0.5)
    denoised = Denoiser.load(tmp_path / loop.MODEL, "cpu")(data.pictures[0][held_out])
    true = mean_psnr(to_bytes(denoised), to_bytes(clean[held_out])).pooled
    assert log(tmp_path)[-1]["psnr_estimate"] == pytest.approx(true, abs=0.2)


def test_a_stopped_run_leaves_a_model_that_loads(tmp_path: Path) -> None:
    assert not fit(SMALL, tmp_path, should_stop=stop_after(4))
    _, architecture, card = weights.load(tmp_path / loop.MODEL)
    assert architecture == architectures.FINAL
    assert card.recipe["steps"] == 4
    assert log(tmp_path)[-1]["event"] == "stopped"


def test_the_model_file_tells_recipe_data_and_metrics(tmp_path: Path) -> None:
    fit(SMALL.model_copy(update={"model": "scratch"}), tmp_path, data_card={"photos": 7})
    card = weights.read(tmp_path / loop.MODEL)[1]
    assert card.recipe["lr"] == SMALL.lr
    assert card.data == {"photos": 7}
    assert set(card.metrics) == {"noisy_psnr", "noisy_psnr_pooled", "psnr", "psnr_pooled"}


def test_the_log_has_a_line_an_event_and_the_caller_sees_the_same(tmp_path: Path) -> None:
    seen: list[Event] = []
    fit(SMALL, tmp_path, on_event=seen.append)
    assert log(tmp_path) == seen
    kinds = [event["event"] for event in seen]
    assert kinds == ["start", *["step", "epoch"] * SMALL.epochs, "end"]
    assert seen[0]["total_steps"] == seen[-1]["step"] == 15


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    fit(SMALL, tmp_path)
    before = tensors(tmp_path)
    with pytest.raises(ConfigError, match="already contains a run, expected a new folder, or resume"):
        fit(SMALL, tmp_path)
    assert same(before, tensors(tmp_path))


def test_a_complete_run_resumes_to_itself(tmp_path: Path) -> None:
    fit(SMALL, tmp_path)
    before = tensors(tmp_path)
    assert fit(SMALL, tmp_path, resume=True)
    assert same(before, tensors(tmp_path))


def test_resuming_needs_the_same_recipe_and_data(tmp_path: Path) -> None:
    fit(SMALL, tmp_path, should_stop=stop_after(2))
    with pytest.raises(ConfigError, match=r"lr is 0.5, expected 0.001 as in the run to resume"):
        fit(SMALL.model_copy(update={"lr": 0.5}), tmp_path, resume=True)
    with pytest.raises(DataError, match="differ from those of the run to resume"):
        loop.fit(SMALL, flat_pairs(40, seed=9), flat_pairs(4, clean=True), tmp_path, resume=True)


def test_resuming_nothing_or_something_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no checkpoint"):
        fit(SMALL, tmp_path, resume=True)
    fit(SMALL, tmp_path / "run", should_stop=stop_after(2))
    path = tmp_path / "run" / loop.CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        fit(SMALL, tmp_path / "run", resume=True)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"lr is 1e\+38, try a smaller value"):
        fit(SMALL.model_copy(update={"optimizer": "sgd", "lr": 1e38, "schedule": "constant"}), tmp_path)


def test_validation_of_other_channels_is_refused(tmp_path: Path) -> None:
    grey = Pairs(*(images[:, :1] for images in flat_pairs(4)))
    with pytest.raises(DataError, match="validation images have 1 channels, expected 3"):
        loop.fit(SMALL, flat_pairs(8), grey, tmp_path)


@EACH
def test_images_of_any_size_are_padded_to_fit(model: str, tmp_path: Path) -> None:
    pairs = flat_pairs(6, size=7)
    config = SMALL.model_copy(update={"model": model, "epochs": 1})
    assert loop.fit(config, pairs, flat_pairs(3, clean=True, size=10), tmp_path)


def test_bfloat16_keeps_float32_weights(tmp_path: Path) -> None:
    fit(SMALL.model_copy(update={"epochs": 1, "precision": "bfloat16"}), tmp_path)
    assert {tensor.dtype for tensor in tensors(tmp_path).values()} == {torch.float32}


@EACH
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_and_resumes(model: str, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"model": model})
    assert not fit(config, tmp_path, device="cuda", should_stop=stop_after(4))
    assert fit(config, tmp_path, device="cuda", resume=True)


@EACH
def test_grey_pairs_are_refused(model: str, tmp_path: Path) -> None:
    grey = Pairs(*(images[:, :1] for images in flat_pairs(4)))
    with pytest.raises(DataError, match="training images have 1 channels, expected 3"):
        loop.fit(SMALL.model_copy(update={"model": model}), grey, grey, tmp_path)


def test_a_psnr_without_bound_is_null_in_the_log(tmp_path: Path) -> None:
    same_pairs = Pairs(*(flat_pairs(4).input for _ in range(2)))
    loop.fit(SMALL, flat_pairs(8), same_pairs, tmp_path)
    text = (tmp_path / loop.LOG).read_text()
    assert "Infinity" not in text
    assert log(tmp_path)[-1]["noisy_psnr"] is None
    assert weights.read(tmp_path / loop.MODEL)[1].metrics["noisy_psnr"] is None


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / loop.CHECKPOINT)
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        fit(SMALL, tmp_path, resume=True)


@pytest.mark.parametrize("model", [name for name, engine in RUNS if engine == "scratch"])
def test_both_engines_lead_to_the_same_weights(model: str, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"model": model, "optimizer": "sgd", "lr": 0.05})
    for engine in architectures.ENGINES:
        fit(config.model_copy(update={"engine": engine}), tmp_path / engine)
    first, second = (tensors(tmp_path / engine) for engine in architectures.ENGINES)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=0, atol=1e-4, msg=name)


def test_a_run_goes_on_with_the_engine_that_auto_stands_for_and_no_other(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"model": "torch"})
    assert not fit(config, tmp_path, should_stop=stop_after(4))
    with pytest.raises(ConfigError, match="engine is 'scratch', expected 'torch' as in the run to resume"):
        fit(config.model_copy(update={"engine": "scratch"}), tmp_path, resume=True)
    assert fit(config.model_copy(update={"engine": "torch"}), tmp_path, resume=True)


def test_the_best_epoch_is_kept_with_its_figures(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"epochs": 12, "lr": 0.03, "schedule": "constant"})  # unsteady
    fit(config, tmp_path)
    epochs = [event for event in log(tmp_path) if event["event"] == "epoch"]
    best = max(epochs, key=lambda event: event["psnr"])
    assert best["epoch"] < config.epochs
    assert (epochs[-1]["best_epoch"], epochs[-1]["best_psnr"]) == (best["epoch"], best["psnr"])
    card = weights.read(tmp_path / loop.BEST)[1]
    assert card.metrics["psnr"] == best["psnr"]
    assert card.recipe["steps"] == best["step"]
    held_out = flat_pairs(12, clean=True, seed=1)
    outputs = to_bytes(Denoiser.load(tmp_path / loop.BEST, "cpu")(held_out.input / 255))
    assert mean_psnr(outputs, held_out.target).per_image == pytest.approx(best["psnr"], abs=1e-3)
    assert not same(tensors(tmp_path), weights.read(tmp_path / loop.BEST)[0])


def test_a_budget_ends_a_run_and_the_schedule_follows_it(tmp_path: Path) -> None:
    config = SMALL.model_copy(
        update={"model": "scratch", "epochs": 10**6, "max_seconds": 1.0, "schedule": "cosine"}
    )
    assert fit(config, tmp_path)
    *_, step, epoch, end = log(tmp_path)
    assert [event["event"] for event in (step, epoch, end)] == ["step", "epoch", "end"]
    assert end["reason"] == "max_seconds"
    assert 1 <= end["seconds"] < 10
    assert step["lr"] < 0.05 * config.lr
    rates = [event["lr"] for event in log(tmp_path) if event["event"] == "step"]
    assert rates == sorted(rates, reverse=True)
    before = tensors(tmp_path)
    assert fit(config, tmp_path, resume=True)
    assert same(before, tensors(tmp_path))


def test_a_budget_that_ran_out_while_the_run_was_saved_still_ends_with_a_validation(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"max_seconds": 1e6})
    assert not fit(config, tmp_path, should_stop=stop_after(3))
    checkpoints.save(tmp_path, checkpoints.load(tmp_path) | {"seconds": 1e6})
    assert fit(config, tmp_path, resume=True)
    assert [event["event"] for event in log(tmp_path)[-2:]] == ["epoch", "end"]
    assert weights.read(tmp_path / loop.BEST)[1].recipe["steps"] == 3


def test_epochs_end_a_run_before_a_large_budget_and_change_nothing(tmp_path: Path) -> None:
    fit(SMALL, tmp_path / "without")
    assert fit(SMALL.model_copy(update={"max_seconds": 1e6}), tmp_path / "with")
    assert log(tmp_path / "with")[-1]["reason"] == "epochs"
    assert same(tensors(tmp_path / "without"), tensors(tmp_path / "with"))


def test_patience_ends_a_run_that_gets_no_better(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"epochs": 50, "lr": 1e-30, "patience": 3})
    assert not fit(config, tmp_path, should_stop=stop_after(12))
    assert fit(config, tmp_path, resume=True)
    end = log(tmp_path)[-1]
    assert (end["event"], end["reason"], end["step"]) == ("end", "patience", 4 * 5)
    assert weights.read(tmp_path / loop.BEST)[1].recipe["steps"] == 5


@EACH
def test_fine_tuning_starts_from_the_given_weights(model: str, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"model": model})
    fit(config, tmp_path / "first")
    given = tmp_path / "first" / loop.MODEL
    tuned = config.model_copy(update={"seed": 7, "lr": 1e-30, "epochs": 1, "initial": str(given)})
    for engine in architectures.engines(architectures.MODELS[model]):
        fit(tuned.model_copy(update={"engine": engine}), tmp_path / engine)
        assert same(tensors(tmp_path / "first"), tensors(tmp_path / engine))
    recipe = weights.read(tmp_path / "torch" / loop.MODEL)[1].recipe
    assert recipe["initial"] == weights.sha256(given)


def test_fine_tuning_goes_on_without_the_given_weights(tmp_path: Path) -> None:
    fit(SMALL, tmp_path / "first")
    given = tmp_path / "first" / loop.MODEL
    config = SMALL.model_copy(update={"initial": str(given), "epochs": 2})
    fit(config, tmp_path / "whole")
    assert not fit(config, tmp_path / "parts", should_stop=stop_after(3))
    digest = weights.sha256(given)
    given.unlink()
    assert fit(config, tmp_path / "parts", resume=True)
    assert same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"))
    assert weights.read(tmp_path / "parts" / loop.MODEL)[1].recipe["initial"] == digest


def test_fine_tuning_another_architecture_is_refused(tmp_path: Path) -> None:
    fit(SMALL.model_copy(update={"model": "scratch", "epochs": 1}), tmp_path / "first")
    initial = str(tmp_path / "first" / loop.MODEL)
    with pytest.raises(ConfigError, match=r"StridedAutoEncoder\(.*\), expected AutoEncoder\("):
        fit(SMALL.model_copy(update={"initial": initial}), tmp_path / "second")
    assert not (tmp_path / "second" / loop.CHECKPOINT).exists()


def test_steps_tell_the_rate_and_the_time_left(tmp_path: Path) -> None:
    fit(SMALL.model_copy(update={"epochs": 6}), tmp_path)
    steps = [event for event in log(tmp_path) if event["event"] == "step"]
    for event in steps:
        assert event["lr"] == pytest.approx(learning_rate(SMALL, event["step"] / 30))
    left = [event["eta_seconds"] for event in steps]
    assert all(0 < seconds < 60 for seconds in left)
    assert left[-1] < max(left[:-1])


def test_every_epoch_has_a_sheet_of_samples(tmp_path: Path) -> None:
    fit(SMALL, tmp_path)
    *sheets, grid = sorted((tmp_path / loop.SAMPLES).iterdir())
    assert [path.name for path in sheets] == [f"epoch-000{epoch}.png" for epoch in (1, 2, 3)]
    assert grid.name == loop.GRID
    assert json.loads(grid.read_text())["columns"] == ["noisy", "denoised", "reference"]
    assert opened(sheets[0].read_bytes()).width == GAP + 3 * (CELL + GAP)
    assert sheets[0].read_bytes() != sheets[2].read_bytes()


def test_a_long_run_keeps_few_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_sheet, "MOST_SHEETS", 4)
    fit(SMALL.model_copy(update={"epochs": 7, "crops_per_epoch": 1}), tmp_path)
    assert sample_sheet.epochs(tmp_path / loop.SAMPLES) == [1, 3, 5, 7]


def test_steps_that_cannot_be_counted_are_refused(tmp_path: Path) -> None:
    many = SMALL.model_copy(update={"epochs": 10**6, "crops_per_epoch": 10**6, "batch_size": 1})
    with pytest.raises(ConfigError, match=r"epochs is 1000000, and each has 1000000 steps: expected at most"):
        fit(many, tmp_path)


@pytest.mark.slow
def test_the_start_tells_where_the_loss_will_stop(tmp_path: Path) -> None:
    fit(SMALL, tmp_path / "course")
    loop.fit(SMALL.model_copy(update={"crop": 8}), scenes("pairs", 40), None, tmp_path / "pairs")
    loop.fit(SMALL.model_copy(update={"crop": 8}), scenes("clean", 40), None, tmp_path / "clean")
    floors = {name: log(tmp_path / name)[0]["noise_floor"] for name in ("course", "pairs", "clean")}
    assert floors == {
        "course": pytest.approx(0.01, rel=0.1),
        "pairs": pytest.approx(0.01, rel=0.1),
        "clean": None,
    }


def test_a_checkpoint_from_before_there_were_kinds_resumes(tmp_path: Path) -> None:
    fit(SMALL, tmp_path / "whole")
    assert not fit(SMALL, tmp_path / "parts", should_stop=stop_after(7))
    state = checkpoints.load(tmp_path / "parts")
    names = [name for name in state["config"] if name != "engine"]
    state["config"] = {name: state["config"][name] for name in names[: names.index("seed") + 1]}
    for name in checkpoints.ADDED:
        del state[name]
    checkpoints.save(tmp_path / "parts", state)
    assert fit(SMALL, tmp_path / "parts", resume=True)
    assert same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"))


@pytest.mark.parametrize("loss", ["l1", pytest.param("charbonnier", marks=pytest.mark.slow)])
def test_other_losses_teach_to_denoise_too(loss: str, tmp_path: Path) -> None:
    fit(SMALL.model_copy(update={"loss": loss, "epochs": 30}), tmp_path)
    last = log(tmp_path)[-1]
    assert last["psnr"] > last["noisy_psnr"] + 1.5
    with pytest.raises(ConfigError, match=f"loss is '{loss}', expected 'mse' for a scratch network"):
        fit(SMALL.model_copy(update={"loss": loss, "engine": "scratch"}), tmp_path / "scratch")


@FEW
def test_a_mean_of_the_weights_is_saved_and_resumes_to_the_bit(model: str, tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"model": model, "ema": 0.9})
    fit(config.model_copy(update={"ema": 0.0}), tmp_path / "plain")
    fit(config, tmp_path / "whole")
    assert not fit(config, tmp_path / "parts", should_stop=stop_after(7))
    assert fit(config, tmp_path / "parts", resume=True)
    assert same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"))
    plain, whole = (checkpoints.load(tmp_path / name) for name in ("plain", "whole"))
    assert same(plain["learner"]["network"], whole["learner"]["network"])
    assert not same(tensors(tmp_path / "plain"), tensors(tmp_path / "whole"))
    assert same(whole["average"], tensors(tmp_path / "whole"))


def test_another_network_than_the_models_can_be_trained(tmp_path: Path) -> None:
    small = architectures.AutoEncoder((5, 4, 5, 3))
    assert fit(SMALL, tmp_path, architecture=small)
    assert architectures.restore(weights.read(tmp_path / loop.MODEL)[1].architecture) == small
