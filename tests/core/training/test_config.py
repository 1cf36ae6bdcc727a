"""Settings of a run, and their limits."""

from typing import Any

import pytest

from n2n_core.errors import ConfigError
from n2n_core.training.config import TrainConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs is 0, expected a whole number of at least 1"),
        ({"batch_size": -1}, "batch_size is -1, expected a whole number of at least 1"),
        ({"seed": -1}, "seed is -1, expected a whole number of at least 0"),
        ({"seed": 2**32}, "seed is 4294967296, expected a whole number of at least 0, at most 4294967295"),
        ({"lr": 0.0}, "lr is 0.0, expected a number above 0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"momentum": 1.0}, "momentum is 1.0, expected a number of at least 0, below 1"),
        ({"optimizer": "lion"}, "optimizer is 'lion', expected one of: adam, sgd"),
        ({"schedule": "step"}, "schedule is 'step', expected one of: constant, cosine, onecycle"),
        ({"max_seconds": 0.0}, "max_seconds is 0.0, expected a number above 0, or none"),
        ({"max_seconds": float("inf")}, "max_seconds is inf"),
        ({"patience": 0}, "patience is 0, expected a whole number of at least 1"),
        ({"crop": 7}, "crop is 7, expected a whole number of at least 8"),
        ({"crops_per_epoch": 0}, "crops_per_epoch is 0, expected a whole number of at least 1"),
        ({"validation": 1.0}, "validation is 1.0, expected a number above 0, below 1"),
        ({"model": "unet", "engine": "scratch"}, "engine is 'scratch', expected 'torch' for model 'unet'"),
        ({"targets": "blurred"}, "targets is 'blurred', expected one of: clean, noisy"),
        ({"rounded": 1.5}, "rounded is 1.5, expected a number of at least 0, at most 1"),
        ({"grey": float("nan")}, "grey is nan, expected a number of at least 0, at most 1"),
        ({"loss": "ssim"}, "loss is 'ssim', expected one of: mse, rmse, l1, charbonnier"),
        ({"ema": 1.0}, "ema is 1.0, expected a number of at least 0, below 1"),
        ({"gamma": -1.0}, "gamma is -1.0, expected a number of at least 0"),
        ({"corruption": {"sigma": 1}}, "corruption is {'sigma': 1}, expected a name, one of: gaussian"),
        ({"corruption": {"name": "snow"}}, "unknown noise 'snow'; known noises: gaussian"),
        ({"corruption": {"name": "gaussian", "p": 1}}, "noise 'gaussian' has no parameter 'p'"),
        ({"corruption": {"name": "gaussian", "sigma": "x"}}, "sigma is 'x', expected a number"),
        ({"precision": "int8"}, "precision is 'int8', expected one of: float32, bfloat16"),
    ],
)
def test_bad_recipes_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**values)


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="model is 'best', expected one of: torch, scratch, unet, photo"):
        TrainConfig(model="best")


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="engine is 'jax', expected one of: auto, torch, scratch"):
        TrainConfig(engine="jax")
