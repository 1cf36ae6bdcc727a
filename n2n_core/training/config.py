"""Recipes: how to train a model. The one description of a recipe's fields.

Recipe files (``config_file.py``), the options of ``n2n train`` and the HTTP API are made from
``TrainConfig.model_fields``: types, bounds, choices, defaults, and descriptions, which are the docstrings
below the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator
from pydantic.fields import FieldInfo

from n2n_core.errors import ConfigError
from n2n_core.models.architectures import ENGINES, MODELS, engines, pick_engine
from n2n_core.noise.corruptions import NOISES, Corruption, noise
from n2n_core.training.fields import OneOf, Validated
from n2n_core.training.losses import LOSSES
from n2n_core.training.lr_schedules import SCHEDULES
from n2n_core.training.optimizers import OPTIMIZERS

PRECISIONS = ("float32", "bfloat16")
"""Names of ``torch.dtype``s."""

TARGETS = ("clean", "noisy")
MAX_SEED = 2**32 - 1
MAX_LR = 1e38  # close to the largest float32
MIN_CROP = 8

SCRATCH_ONLY = {"precision": "float32", "loss": "mse", "max_norm": None}
"""The only values of these fields that the scratch engine implements."""


class TrainConfig(Validated):
    """A recipe. The same recipe, data and device give the same weights, unless there is a time budget.

    Raises:
        ConfigError: a value is out of range, or two values do not fit together.

    >>> TrainConfig(epochs=3).model_copy(update={"lr": 0.01}).lr
    0.01
    >>> TrainConfig(epochs=0)
    Traceback (most recent call last):
    n2n_core.errors.ConfigError: epochs is 0, expected a whole number of at least 1
    """

    model: Annotated[str, OneOf(tuple(MODELS))] = "torch"
    """Architecture of the network."""

    engine: Annotated[str, OneOf(("auto", *ENGINES))] = "auto"
    """`torch` (torch.nn), `scratch` (the framework written by hand), or `auto` for the model's own engine."""

    epochs: Annotated[int, Field(ge=1)] = 10
    """Maximum number of passes over the training data."""

    batch_size: Annotated[int, Field(ge=1)] = 16
    """Number of crops per training step."""

    optimizer: Annotated[str, OneOf(tuple(OPTIMIZERS))] = "adam"
    """Optimizer: Adam or stochastic gradient descent."""

    lr: Annotated[float, Field(gt=0, le=MAX_LR)] = 1e-3
    """Peak learning rate."""

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Momentum of the optimizer `sgd`."""

    schedule: Annotated[str, OneOf(tuple(SCHEDULES))] = "onecycle"
    """Learning-rate schedule."""

    augment: bool = True
    """Apply random flips and 90-degree rotations, the same to both images of a pair."""

    swap: bool = True
    """Exchange input and target at random. Correct only if both are noisy."""

    precision: Annotated[str, OneOf(PRECISIONS)] = "float32"
    """`float32`, or `bfloat16` arithmetic with float32 weights (torch.nn only)."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    """Seed of the initial weights and of the order, crops, noise and augmentation of the pictures."""

    max_seconds: Annotated[float | None, Field(gt=0)] = None
    """Time budget in seconds. Training ends when it is used up or after `epochs`, whichever comes first, and
    the learning-rate schedule follows the nearer of the two. Default: no budget."""

    patience: Annotated[int | None, Field(ge=1)] = None
    """Stop after this many epochs without a better validation result. Default: never."""

    crop: Annotated[int, Field(ge=MIN_CROP)] = 64
    """Side of a crop in pixels. Smaller pictures are used whole."""

    crops_per_epoch: Annotated[int | None, Field(ge=1)] = None
    """Number of crops per epoch. Default: as many as cover the pictures."""

    validation: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Fraction of the scenes that is held out if no other data to validate on are given."""

    loss: Annotated[str, OneOf(tuple(LOSSES))] = "mse"
    """Loss function: `mse`, or with torch.nn also `rmse` (the root is taken for each crop, so that crops with
    strong noise do not outweigh the others), `l1` and `charbonnier`."""

    gamma: Annotated[float, Field(ge=0)] = 2.0
    """Weight of Neighbor2Neighbor's regularisation term (single pictures) at the end of the run. It grows
    from 0."""

    corruption: dict[str, Any] | None = None
    """Noise to add to clean pictures: its `name` and its parameters. Default: the noise of the dataset."""

    targets: Annotated[str, OneOf(TARGETS)] = "clean"
    """Target of a clean picture with added noise: the `clean` picture, or another `noisy` copy (Noise2Noise)
    with noise of the same kind and level."""

    target_copies: Annotated[int, Field(ge=1)] = 1
    """Maximum number of noisy shots that a target is the mean of, for bursts and for clean pictures with
    noisy targets. The mean is still noisy, but training converges sooner."""

    rounded: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the inputs made from clean pictures that is clipped and rounded to 8 bits, like image
    files. Targets never are, so that their mean stays the clean picture."""

    jpeg: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the inputs made from clean pictures that is compressed as JPEG."""

    grey: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction of the crops of clean pictures that is made grey before noise is added."""

    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of an exponential moving average of the weights, such as 0.999. The average is validated and
    saved instead of the weights. 0: no average."""

    max_norm: Annotated[float | None, Field(gt=0)] = None
    """Clip the gradients to this norm, taken over all weights together, so that no step is too long
    (torch.nn only). Default: no clipping."""

    initial: str | None = None
    """Weights file to start from. Default: random weights."""

    @field_validator("corruption")
    @classmethod
    def _check_corruption(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            corruption(value)
        return value

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        architecture = MODELS[self.model]
        engine = pick_engine(self.engine, architecture.engine)
        if engine not in (known := engines(architecture)):
            got = f"engine is {engine!r}, expected {known[0]!r}"
            raise ConfigError(f"{got} for model {self.model!r}", "engine")
        self.check_engine(engine)
        return self

    def check_engine(self, engine: str) -> None:
        """Check that ``engine`` implements all that the recipe asks for.

        Raises:
            ConfigError: it does not.
        """
        for name, only in SCRATCH_ONLY.items() if engine == "scratch" else ():
            if (value := getattr(self, name)) != only:
                raise ConfigError(f"{name} is {value!r}, expected {only!r} for a scratch network", name)


def shared_fields() -> dict[str, FieldInfo]:
    """Return the fields of files, options and requests: all but ``initial``, a path on this machine."""
    return {name: field for name, field in TrainConfig.model_fields.items() if name != "initial"}


def corruption(description: Mapping[str, Any]) -> Corruption:
    """Return the noise with the ``name`` and the parameters in ``description``.

    >>> corruption({"name": "gaussian", "sigma": 0.2})
    Gaussian(sigma=0.2)
    """
    values = dict(description)
    name = values.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(f"corruption is {dict(description)}, expected a name, one of: {', '.join(NOISES)}")
    return noise(name, **values)
