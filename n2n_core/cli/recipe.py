"""The options that describe a training, a field of ``TrainConfig`` each."""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError
from typing import Any

from n2n_core.models.architectures import ENGINES, MODELS
from n2n_core.training.config import LOSSES, OPTIMIZERS, PRECISIONS, TARGETS, TrainConfig
from n2n_core.training.lr_schedules import SCHEDULES


def add_recipe(command: argparse.ArgumentParser, *, defaults: bool = True) -> list[str]:
    """Add them, all but ``initial``, and return the fields' names.

    Args:
        defaults: whether an option that is not given has the recipe's value; else it is left out.
    """
    recipe, names = TrainConfig(), list[str]()

    def add(name: str, help: str, **how: Any) -> None:
        default = getattr(recipe, name) if defaults else argparse.SUPPRESS
        command.add_argument(f"--{name.replace('_', '-')}", default=default, help=help, **how)
        names.append(name)

    flag = argparse.BooleanOptionalAction
    add("model", "architecture", choices=MODELS)
    add("engine", "torch.nn or by hand; auto is the model's own", choices=("auto", *ENGINES))
    add("epochs", "passes over the data, at most", type=int)
    add("max_seconds", "time budget; none if not given", type=float)
    add("patience", "end after so many epochs without a better one", type=int)
    add("batch_size", "crops a step", type=int)
    add("optimizer", "update rule", choices=OPTIMIZERS)
    add("lr", "peak learning rate", type=float)
    add("momentum", "for sgd", type=float)
    add("schedule", "of the rate", choices=SCHEDULES)
    add("loss", "other than mse: torch.nn alone", choices=LOSSES)
    add("crop", "side of what is seen of a picture", type=int)
    add("crops_per_epoch", "as many as cover the pictures if not given", type=int)
    add("validation", "share of a dataset's scenes held out", type=float)
    add("augment", "flips and rotations", action=flag)
    add("swap", "exchange the pair's images", action=flag)
    add("corruption", "for clean pictures", type=corruption, metavar="NOISE[,KEY=VALUE]")
    add("targets", "of clean pictures", choices=TARGETS)
    add(
        "target_copies",
        "a target is the mean of so many noisy shots: of bursts, or of clean pictures made noisy",
        type=int,
    )
    add("rounded", "share of clean pictures' noisy inputs that are rounded to 8 bits", type=float)
    add("jpeg", "share of clean pictures' noisy inputs that are stored as JPEG", type=float)
    add("grey", "share of clean pictures that are made grey", type=float)
    add("gamma", "Neighbor2Neighbor's, for single pictures", type=float)
    add("ema", "decay of a running mean of the weights; 0 for none", type=float)
    add("max_norm", "bound of the gradients' norm; none if not given", type=float)
    add("precision", "of arithmetic", choices=PRECISIONS)
    add("seed", "of weights, order, augmentation", type=int)
    return names


def corruption(text: str) -> dict[str, Any]:
    """An option's ``gaussian,sigma=0.1`` as recipes and datasets hold it.

    >>> corruption("point-sampling,block=8")
    {'name': 'point-sampling', 'block': 8}
    """
    name, *parameters = text.split(",")
    pairs = (parameter.partition("=") for parameter in parameters)
    try:
        values = {key: int(value) if value.isdecimal() else float(value) for key, _, value in pairs}
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no corruption, expected as gaussian,sigma=0.1") from error
    return {"name": name} | values
