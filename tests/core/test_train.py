"""The training loop, for both engines."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from n2n_core import networks, train, weights
from n2n_core.data import Pairs
from n2n_core.errors import ConfigError, DataError, DivergedError, UnknownModelError, WeightsError
from n2n_core.metrics import to_bytes
from n2n_core.train import TrainConfig

BOTH = pytest.mark.parametrize("model", networks.MODELS)
ENGINE = pytest.mark.parametrize("engine", networks.ENGINES)
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
    return train.fit(config, flat_pairs(40), flat_pairs(12, clean=True, seed=1), folder, **options)


def stop_after(steps: int) -> Callable[[], bool]:
    asked = iter(range(steps + 1))
    return lambda: next(asked) == steps


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / train.LOG).read_text().splitlines()]


def tensors(folder: Path) -> dict[str, Tensor]:
    return weights.read(folder / train.MODEL)[0]


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


@BOTH
@ENGINE
def test_noisy_pairs_alone_teach_to_denoise(model: str, engine: str, tmp_path: Path) -> None:
    assert fit(replace(SMALL, model=model, engine=engine, epochs=30), tmp_path)
    last = log(tmp_path)[-1]
    assert last["psnr"] > last["noisy_psnr"] + 1.5
    assert last["psnr_pooled"] > last["noisy_psnr_pooled"] + 1.5


@BOTH
def test_a_recipe_repeats_to_the_bit_and_a_seed_changes_it(model: str, tmp_path: Path) -> None:
    config = replace(SMALL, model=model)
    for name, seed in (("first", 5), ("again", 5), ("other", 6)):
        fit(replace(config, seed=seed), tmp_path / name)
    assert same(tensors(tmp_path / "first"), tensors(tmp_path / "again"))
    assert not same(tensors(tmp_path / "first"), tensors(tmp_path / "other"))


@BOTH
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("steps", [0, 3, 5, 7, 14])
def test_a_stopped_run_resumes_to_the_bit(model: str, optimizer: str, steps: int, tmp_path: Path) -> None:
    config = replace(SMALL, model=model, optimizer=optimizer, momentum=0.9 if optimizer == "sgd" else 0.0)
    fit(config, tmp_path / "whole")
    assert not fit(config, tmp_path / "parts", should_stop=stop_after(steps))
    assert fit(config, tmp_path / "parts", resume=True)
    assert same(tensors(tmp_path / "whole"), tensors(tmp_path / "parts"))
    ends = [log(tmp_path / name)[-1] for name in ("whole", "parts")]
    assert [end["event"] for end in ends] == ["end", "end"]
    assert ends[0]["psnr"] == ends[1]["psnr"]


def test_a_stopped_run_leaves_a_model_that_loads(tmp_path: Path) -> None:
    assert not fit(SMALL, tmp_path, should_stop=stop_after(4))
    _, architecture, card = weights.load(tmp_path / train.MODEL)
    assert architecture == networks.FINAL
    assert card.recipe["steps"] == 4
    assert log(tmp_path)[-1]["event"] == "stopped"


def test_the_model_file_tells_recipe_data_and_metrics(tmp_path: Path) -> None:
    fit(replace(SMALL, model="scratch"), tmp_path, data_card={"photos": 7})
    card = weights.read(tmp_path / train.MODEL)[1]
    assert card.recipe["lr"] == SMALL.lr
    assert card.data == {"photos": 7}
    assert set(card.metrics) == {"noisy_psnr", "noisy_psnr_pooled", "psnr", "psnr_pooled"}


def test_the_log_has_a_line_an_event_and_the_caller_sees_the_same(tmp_path: Path) -> None:
    seen: list[train.Event] = []
    fit(SMALL, tmp_path, on_event=seen.append)
    assert log(tmp_path) == seen
    kinds = [event["event"] for event in seen]
    assert kinds == ["start", *["step", "epoch"] * SMALL.epochs, "end"]
    assert seen[0]["total_steps"] == seen[-1]["step"] == 15


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    fit(SMALL, tmp_path)
    before = tensors(tmp_path)
    with pytest.raises(ConfigError, match="already holds a run, expected a new folder, or resume"):
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
        fit(replace(SMALL, lr=0.5), tmp_path, resume=True)
    with pytest.raises(DataError, match="differ from those of the run to resume"):
        train.fit(SMALL, flat_pairs(40, seed=9), flat_pairs(4, clean=True), tmp_path, resume=True)


def test_resuming_nothing_or_something_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no checkpoint"):
        fit(SMALL, tmp_path, resume=True)
    fit(SMALL, tmp_path / "run", should_stop=stop_after(2))
    path = tmp_path / "run" / train.CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        fit(SMALL, tmp_path / "run", resume=True)


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"lr is 1e\+38, try a smaller one"):
        fit(replace(SMALL, optimizer="sgd", lr=1e38, schedule="constant"), tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs is 0, expected at least 1"),
        ({"batch_size": -1}, "batch_size is -1, expected at least 1"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"seed": 2**32}, "seed is 4294967296, expected at most 4294967295"),
        ({"lr": 0.0}, "lr is 0.0, expected a number above 0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"momentum": 1.0}, r"momentum is 1.0, expected a number in \[0, 1\)"),
        ({"optimizer": "lion"}, "optimizer is 'lion', expected one of: adam, sgd"),
        ({"schedule": "step"}, "schedule is 'step', expected one of: constant, cosine, onecycle"),
        ({"precision": "int8"}, "precision is 'int8', expected one of: float32, bfloat16"),
    ],
)
def test_bad_recipes_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**values)


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match="unknown model 'best'; known models: scratch, torch"):
        TrainConfig(model="best")


def test_validation_of_other_channels_is_refused(tmp_path: Path) -> None:
    grey = Pairs(*(images[:, :1] for images in flat_pairs(4)))
    with pytest.raises(DataError, match="validation images have 1 channels, expected 3"):
        train.fit(SMALL, flat_pairs(8), grey, tmp_path)


@BOTH
def test_images_of_any_size_are_padded_to_fit(model: str, tmp_path: Path) -> None:
    pairs = flat_pairs(6, size=7)
    config = replace(SMALL, model=model, epochs=1)
    assert train.fit(config, pairs, flat_pairs(3, clean=True, size=10), tmp_path)


def test_bfloat16_keeps_float32_weights(tmp_path: Path) -> None:
    fit(replace(SMALL, epochs=1, precision="bfloat16"), tmp_path)
    assert {tensor.dtype for tensor in tensors(tmp_path).values()} == {torch.float32}


@BOTH
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_and_resumes(model: str, tmp_path: Path) -> None:
    config = replace(SMALL, model=model)
    assert not fit(config, tmp_path, device="cuda", should_stop=stop_after(4))
    assert fit(config, tmp_path, device="cuda", resume=True)


@BOTH
def test_grey_pairs_are_refused(model: str, tmp_path: Path) -> None:
    grey = Pairs(*(images[:, :1] for images in flat_pairs(4)))
    with pytest.raises(DataError, match="training images have 1 channels, expected 3"):
        train.fit(replace(SMALL, model=model), grey, grey, tmp_path)


def test_a_psnr_without_bound_is_null_in_the_log(tmp_path: Path) -> None:
    same_pairs = Pairs(*(flat_pairs(4).input for _ in range(2)))
    train.fit(SMALL, flat_pairs(8), same_pairs, tmp_path)
    text = (tmp_path / train.LOG).read_text()
    assert "Infinity" not in text
    assert log(tmp_path)[-1]["noisy_psnr"] is None
    assert weights.read(tmp_path / train.MODEL)[1].metrics["noisy_psnr"] is None


def test_a_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / train.CHECKPOINT)
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        fit(SMALL, tmp_path, resume=True)


@BOTH
def test_both_engines_lead_to_the_same_weights(model: str, tmp_path: Path) -> None:
    config = replace(SMALL, model=model, optimizer="sgd", lr=0.05)
    for engine in networks.ENGINES:
        fit(replace(config, engine=engine), tmp_path / engine)
    first, second = (tensors(tmp_path / engine) for engine in networks.ENGINES)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=0, atol=1e-4, msg=name)


def test_a_run_goes_on_with_the_engine_that_auto_stands_for_and_no_other(tmp_path: Path) -> None:
    config = replace(SMALL, model="torch")
    assert not fit(config, tmp_path, should_stop=stop_after(4))
    with pytest.raises(ConfigError, match="engine is 'scratch', expected 'torch' as in the run to resume"):
        fit(replace(config, engine="scratch"), tmp_path, resume=True)
    assert fit(replace(config, engine="torch"), tmp_path, resume=True)


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="engine is 'jax', expected one of: auto, torch, scratch"):
        TrainConfig(engine="jax")
