"""``n2n train``: a model from noisy pairs."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import fields
from importlib import import_module
from math import inf
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

from tqdm import tqdm

from n2n_core import data, plots, train
from n2n_core.cli.command import Commands, add_command, add_engine
from n2n_core.cli.data import TRAINING, VALIDATION, describe
from n2n_core.data import Pairs
from n2n_core.device import set_threads
from n2n_core.learners import LOSSES, OPTIMIZERS, PRECISIONS
from n2n_core.networks import MODELS
from n2n_core.recipe import TrainConfig
from n2n_core.sampling import Scenes
from n2n_core.schedule import SCHEDULES

MANIFEST = "manifest.json"
"""What a dataset's folder holds."""


def add(commands: Commands) -> None:
    command = add_command(commands, "train", run_training, "train a model from noisy pairs")
    recipe = TrainConfig()
    command.add_argument(
        "data", type=Path, help="a dataset, or a folder with train_data.pkl and val_data.pkl"
    )
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    command.add_argument("--model", choices=MODELS, default=recipe.model, help="architecture")
    add_engine(command)
    command.add_argument("--epochs", type=int, default=recipe.epochs, help="passes over the data, at most")
    command.add_argument("--max-seconds", type=float, help="time budget; none if not given")
    command.add_argument("--patience", type=int, help="end after so many epochs without a better one")
    command.add_argument("--batch-size", type=int, default=recipe.batch_size, help="crops a step")
    command.add_argument("--optimizer", choices=OPTIMIZERS, default=recipe.optimizer, help="update rule")
    command.add_argument("--lr", type=float, default=recipe.lr, help="peak learning rate")
    command.add_argument("--momentum", type=float, default=recipe.momentum, help="for sgd")
    command.add_argument("--schedule", choices=SCHEDULES, default=recipe.schedule, help="of the rate")
    command.add_argument("--loss", choices=LOSSES, default=recipe.loss, help="other than mse: torch.nn alone")
    _add_data_options(command, recipe)
    command.add_argument("--precision", choices=PRECISIONS, default=recipe.precision, help="of arithmetic")
    command.add_argument("--seed", type=int, default=recipe.seed, help="of weights, order, augmentation")
    command.add_argument("--initial", metavar="FILE", help="weights to start from; random if not given")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--threads", type=int, help="CPU threads; torch's default if not given")


def _add_data_options(command: argparse.ArgumentParser, recipe: TrainConfig) -> None:
    flag = argparse.BooleanOptionalAction
    command.add_argument("--crop", type=int, default=recipe.crop, help="side of what is seen of a picture")
    command.add_argument("--crops-per-epoch", type=int, help="as many as cover the pictures if not given")
    command.add_argument(
        "--validation", type=float, default=recipe.validation, help="share of a dataset's scenes held out"
    )
    command.add_argument("--augment", action=flag, default=recipe.augment, help="flips and rotations")
    command.add_argument("--swap", action=flag, default=recipe.swap, help="exchange the pair's images")
    command.add_argument(
        "--corruption", type=_corruption, metavar="NOISE[,KEY=VALUE]", help="for clean pictures"
    )
    command.add_argument(
        "--gamma", type=float, default=recipe.gamma, help="Neighbor2Neighbor's, for single pictures"
    )


def _corruption(text: str) -> dict[str, Any]:
    """``gaussian,sigma=0.1`` as a recipe holds it."""
    name, *parameters = text.split(",")
    pairs = (parameter.partition("=") for parameter in parameters)
    return {"name": name} | {key: int(value) if value.isdigit() else float(value) for key, _, value in pairs}


def _data(folder: Path) -> tuple[Scenes | Pairs, Pairs | None, dict[str, Any]]:
    """What to train on, what to validate on, and what is known of it."""
    if (folder / MANIFEST).exists():
        scenes: Scenes = import_module("n2n_core.datasets").Dataset.open(folder)
        return scenes, None, {"kind": scenes.kind, "scenes": len(scenes), "fingerprint": scenes.fingerprint}
    pairs, validation = (data.load_pairs(folder / name) for name in (TRAINING, VALIDATION))
    return pairs, validation, describe(folder)


def run_training(options: argparse.Namespace) -> int:
    """Train, with a progress bar; the first Ctrl-C stops at a checkpoint."""
    if options.threads is not None:
        set_threads(options.threads)
    names = [field.name for field in fields(TrainConfig)]
    config = TrainConfig(**{name: getattr(options, name) for name in names})
    scenes, validation, card = _data(options.data)
    with _StopOnInterrupt() as stop, tqdm(unit="step", disable=not sys.stderr.isatty()) as bar:
        complete = train.fit(
            config,
            scenes,
            validation,
            options.output,
            resume=options.resume,
            device=options.device,
            data_card=card,
            on_event=lambda event: _show(event, bar),
            should_stop=lambda: stop.requested,
        )
    if not complete:
        print(f"stopped; go on with --resume, or use {options.output / train.MODEL}", file=sys.stderr)
        return 130
    plots.write(options.output)
    print(f"complete: {options.output / train.MODEL}", file=sys.stderr)
    return 0


class _StopOnInterrupt:
    """Notes the first SIGINT within its block; a second one interrupts at once."""

    def __enter__(self) -> Self:
        self.requested = False
        self.previous = signal.signal(signal.SIGINT, self)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.previous)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _show(event: train.Event, bar: tqdm[NoReturn]) -> None:
    if event["event"] == "start":
        bar.reset(total=event["total_steps"])
        bar.update(event["step"])
    elif event["event"] == "step":
        bar.update(event["step"] - bar.n)
        bar.set_postfix(loss=f"{event['loss']:.5f}", refresh=False)
    elif event["event"] == "epoch":
        with bar.external_write_mode():
            print(f"epoch {event['epoch']}: {_figures(event)}", flush=True)


def _figures(event: train.Event) -> str:
    """What the validation says, in a line."""
    if "psnr" in event:
        keys = ("psnr", "psnr_pooled", "noisy_psnr", "noisy_psnr_pooled")
        psnr = {key: inf if event[key] is None else event[key] for key in keys}
        after = f"{psnr['psnr']:.2f} dB per image, {psnr['psnr_pooled']:.2f} pooled"
        return f"PSNR {after} (noisy {psnr['noisy_psnr']:.2f}, {psnr['noisy_psnr_pooled']:.2f})"
    loss = f"validation loss {event['validation_loss']:.5f}"
    if event.get("psnr_estimate") is None:
        return loss
    noisy = event["noisy_psnr_estimate"]
    return f"{loss}, PSNR about {event['psnr_estimate']:.2f} dB" + (f" (noisy {noisy:.2f})" if noisy else "")
