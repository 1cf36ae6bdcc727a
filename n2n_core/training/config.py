"""What a training run is told to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from n2n_core.errors import ConfigError
from n2n_core.models import architectures
from n2n_core.noise.corruptions import NOISES, Corruption, noise
from n2n_core.training.lr_schedules import SCHEDULES

OPTIMIZERS = ("adam", "sgd")
PRECISIONS = ("float32", "bfloat16")
LOSSES = ("mse", "rmse", "l1", "charbonnier")
TARGETS = ("clean", "noisy")
MAX_SEED = 2**32 - 1
MAX_LR = 1e38  # that float32 holds
MIN_CROP = 8

CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": tuple(SCHEDULES),
    "precision": PRECISIONS,
    "loss": LOSSES,
    "targets": TARGETS,
}
LEAST = {
    "epochs": 1,
    "batch_size": 1,
    "seed": 0,
    "crop": MIN_CROP,
    "crops_per_epoch": 1,
    "patience": 1,
    "target_copies": 1,
}
"""The whole numbers, and the smallest that each may be; some may be None."""


@dataclass(frozen=True)
class TrainConfig:
    """A recipe. Without a time budget, the same on the same data and device gives the same weights.

    Args:
        model: a name from ``architectures.MODELS``.
        engine: ``torch``, ``scratch``, or ``auto``, the model's own.
        epochs: passes over the training data, at most.
        batch_size: crops a step.
        optimizer: ``adam`` or ``sgd``.
        lr: peak learning rate.
        momentum: for ``sgd``.
        schedule: ``constant``, ``cosine`` or ``onecycle``.
        augment: random flips and 90-degree rotations, the same for both images of a pair.
        swap: exchange input and target at random; right only where both are noisy.
        precision: ``float32``, or ``bfloat16`` arithmetic on float32 weights (torch.nn only).
        seed: of initial weights, order, crops, noise and augmentation.
        max_seconds: time budget: training ends at the first of it and ``epochs``, and the schedule
            follows whichever is nearer. None for none.
        patience: training ends after so many epochs without a better validation. None for never.
        crop: side in pixels of what is seen of a picture at a time; smaller pictures are seen whole.
        crops_per_epoch: None for as many as cover the pictures (``sampling.py``).
        validation: share of the scenes that is held out, where no others are given.
        loss: ``mse``; for torch.nn also ``rmse`` (each crop's own, so that those with strong noise do
            not outweigh the others), ``l1`` and ``charbonnier``.
        gamma: weight of Neighbor2Neighbor's regularisation at the run's end; it grows from 0.
        corruption: for clean pictures: a name from ``noise.NOISES`` as ``name``, and its parameters.
            None for the dataset's own.
        targets: of clean pictures, whether a noisy copy has the ``clean`` picture for its target, or
            another ``noisy`` copy (Noise2Noise), with noise of the same kind and level.
        target_copies: of bursts, and of clean pictures with noisy targets, how many shots a target is the
            mean of, at most: it is still noisy, but training settles sooner.
        rounded: of clean pictures, the share of inputs that are clipped and rounded to 8 bits, as files
            are; targets never are, so that their mean is the clean picture.
        jpeg: of clean pictures, the share of inputs that are stored as JPEG (``jpeg_artifacts.py``).
        grey: of clean pictures, the share of crops that are made grey before noise is added.
        ema: decay, such as 0.999, of a running mean of the weights, which is then what is validated
            and saved. 0 for none.
        max_norm: gradients of a larger norm, over all weights together, are shortened to it, so that no
            step goes astray; for torch.nn. None for no bound.
        initial: a weights file to start from, or None for random weights.
    """

    model: str = "torch"
    engine: str = "auto"
    epochs: int = 10
    batch_size: int = 16
    optimizer: str = "adam"
    lr: float = 1e-3
    momentum: float = 0.0
    schedule: str = "onecycle"
    augment: bool = True
    swap: bool = True
    precision: str = "float32"
    seed: int = 0
    max_seconds: float | None = None
    patience: int | None = None
    crop: int = 64
    crops_per_epoch: int | None = None
    validation: float = 0.1
    loss: str = "mse"
    gamma: float = 2.0
    corruption: dict[str, Any] | None = None
    targets: str = "clean"
    target_copies: int = 1
    rounded: float = 0.0
    jpeg: float = 0.0
    grey: float = 0.0
    ema: float = 0.0
    max_norm: float | None = None
    initial: str | None = None

    def __post_init__(self) -> None:
        architectures.model(self.model)
        architectures.pick_engine(self.engine, own="torch")
        for name, least in LEAST.items():
            if (value := getattr(self, name)) is not None and value < least:
                raise ConfigError(f"{name} is {value}, expected at least {least}")
        self._require("seed", self.seed <= MAX_SEED, f"at most {MAX_SEED}")
        self._require("lr", 0 < self.lr <= MAX_LR, f"a number above 0, at most {MAX_LR}")
        self._require("momentum", 0 <= self.momentum < 1, "a number in [0, 1)")
        seconds = 1 if self.max_seconds is None else self.max_seconds
        self._require("max_seconds", 0 < seconds < inf, "a number above 0, or none")
        self._require("validation", 0 < self.validation < 1, "a number between 0 and 1")
        self._require("ema", 0 <= self.ema < 1, "a number in [0, 1)")
        for name in ("rounded", "jpeg", "grey"):
            self._require(name, 0 <= getattr(self, name) <= 1, "a share from 0 to 1")
        self._require("gamma", 0 <= self.gamma < inf, "a number of at least 0")
        norm = 1 if self.max_norm is None else self.max_norm
        self._require("max_norm", 0 < norm < inf, "a number above 0, or none")
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, expected one of: {', '.join(known)}")
        if self.corruption is not None:
            corruption(self.corruption)
        engine = architectures.pick_engine(self.engine, architectures.model(self.model).engine)
        if engine not in (known := architectures.engines(architectures.model(self.model))):
            raise ConfigError(f"engine is {engine!r}, expected {known[0]!r} for model {self.model!r}")
        if engine == "scratch":
            for name, only in (("precision", "float32"), ("loss", "mse"), ("max_norm", None)):
                self._require(name, getattr(self, name) == only, f"{only!r} for a scratch network")

    def _require(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigError(f"{name} is {getattr(self, name)!r}, expected {expected}")


def corruption(description: Mapping[str, Any]) -> Corruption:
    """The noise that ``description`` stands for: its ``name``, and parameters.

    >>> corruption({"name": "gaussian", "sigma": 0.2})
    Gaussian(sigma=0.2)
    """
    values = dict(description)
    name = values.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(f"corruption is {dict(description)}, expected a name, one of: {', '.join(NOISES)}")
    return noise(name, **values)
