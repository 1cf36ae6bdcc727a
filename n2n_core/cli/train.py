"""``n2n train``: a model from noisy pairs."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import fields
from math import inf
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

from tqdm import tqdm

from n2n_core import data, train
from n2n_core.cli.command import Commands, add_command, add_engine
from n2n_core.cli.data import TRAINING, VALIDATION, describe
from n2n_core.device import set_threads
from n2n_core.learners import OPTIMIZERS, PRECISIONS
from n2n_core.networks import MODELS
from n2n_core.schedule import SCHEDULES


def add(commands: Commands) -> None:
    command = add_command(commands, "train", run_training, "train a model from noisy pairs")
    recipe = train.TrainConfig()
    command.add_argument("data", type=Path, help="folder with train_data.pkl and val_data.pkl")
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    command.add_argument("--model", choices=MODELS, default=recipe.model, help="architecture")
    add_engine(command)
    command.add_argument("--epochs", type=int, default=recipe.epochs, help="passes over the pairs")
    command.add_argument("--batch-size", type=int, default=recipe.batch_size, help="pairs a step")
    command.add_argument("--optimizer", choices=OPTIMIZERS, default=recipe.optimizer, help="update rule")
    command.add_argument("--lr", type=float, default=recipe.lr, help="peak learning rate")
    command.add_argument("--momentum", type=float, default=recipe.momentum, help="for sgd")
    command.add_argument("--schedule", choices=SCHEDULES, default=recipe.schedule, help="of the rate")
    command.add_argument(
        "--augment", action=argparse.BooleanOptionalAction, default=recipe.augment, help="flips and rotations"
    )
    command.add_argument(
        "--swap",
        action=argparse.BooleanOptionalAction,
        default=recipe.swap,
        help="exchange the pair's images",
    )
    command.add_argument("--precision", choices=PRECISIONS, default=recipe.precision, help="of arithmetic")
    command.add_argument("--seed", type=int, default=recipe.seed, help="of weights, order, augmentation")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--threads", type=int, help="CPU threads; torch's default if not given")


def run_training(options: argparse.Namespace) -> int:
    """Train, with a progress bar; the first Ctrl-C stops at a checkpoint."""
    if options.threads is not None:
        set_threads(options.threads)
    names = [field.name for field in fields(train.TrainConfig)]
    config = train.TrainConfig(**{name: getattr(options, name) for name in names})
    pairs, validation = (data.load_pairs(options.data / name) for name in (TRAINING, VALIDATION))
    with _StopOnInterrupt() as stop, tqdm(unit="step", disable=not sys.stderr.isatty()) as bar:
        complete = train.fit(
            config,
            pairs,
            validation,
            options.output,
            resume=options.resume,
            device=options.device,
            data_card=describe(options.data),
            on_event=lambda event: _show(event, bar),
            should_stop=lambda: stop.requested,
        )
    if not complete:
        print(f"stopped; go on with --resume, or use {options.output / train.MODEL}", file=sys.stderr)
        return 130
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
        keys = ("psnr", "psnr_pooled", "noisy_psnr", "noisy_psnr_pooled")
        psnr = {key: inf if event[key] is None else event[key] for key in keys}
        after = f"{psnr['psnr']:.2f} dB per image, {psnr['psnr_pooled']:.2f} pooled"
        before = f"{psnr['noisy_psnr']:.2f}, {psnr['noisy_psnr_pooled']:.2f}"
        with bar.external_write_mode():
            print(f"epoch {event['epoch']}: PSNR {after} (noisy {before})", flush=True)
