"""``n2n train``: a model from noisy pairs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from n2n_core import data, plots, train
from n2n_core.cli.command import Commands, add_command
from n2n_core.cli.data import TRAINING, VALIDATION, describe
from n2n_core.cli.interrupt import StopOnInterrupt
from n2n_core.cli.progress import show
from n2n_core.cli.recipe import add_recipe
from n2n_core.data import Pairs
from n2n_core.datasets import MANIFEST, Dataset
from n2n_core.device import set_threads
from n2n_core.errors import ConfigError
from n2n_core.recipe import TrainConfig
from n2n_core.sampling import Scenes


def add(commands: Commands) -> None:
    command = add_command(commands, "train", run_training, "train a model from noisy pairs")
    command.add_argument(
        "data", type=Path, help="a dataset, or a folder with train_data.pkl and val_data.pkl"
    )
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    command.add_argument(
        "--validation-data", type=Path, metavar="DATASET", help="validate on another dataset"
    )
    add_recipe(command)
    command.add_argument("--initial", metavar="FILE", help="weights to start from; random if not given")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--threads", type=int, help="CPU threads; torch's default if not given")


def _data(folder: Path, other: Path | None) -> tuple[Scenes | Pairs, Scenes | Pairs | None, dict[str, Any]]:
    """What to train on, what to validate on if it is not a share of that, and what is known of it."""
    if (folder / MANIFEST).exists():
        scenes, held_out = Dataset.open(folder), Dataset.open(other) if other else None
        return (
            scenes,
            held_out,
            {"kind": scenes.kind, "scenes": len(scenes), "fingerprint": scenes.fingerprint},
        )
    if other:
        raise ConfigError(f"validation data is {other}, expected none: {folder} has its own")
    pairs, validation = (data.load_pairs(folder / name) for name in (TRAINING, VALIDATION))
    return pairs, validation, describe(folder)


def run_training(options: argparse.Namespace) -> int:
    """Train, with a progress bar; the first Ctrl-C stops at a checkpoint."""
    if options.threads is not None:
        set_threads(options.threads)
    names = [field.name for field in fields(TrainConfig)]
    config = TrainConfig(**{name: getattr(options, name) for name in names})
    scenes, validation, card = _data(options.data, options.validation_data)
    with StopOnInterrupt() as stop, tqdm(unit="step", disable=not sys.stderr.isatty()) as bar:
        complete = train.fit(
            config,
            scenes,
            validation,
            options.output,
            resume=options.resume,
            device=options.device,
            data_card=card,
            on_event=lambda event: show(event, bar),
            should_stop=lambda: stop.requested,
        )
    if not complete:
        print(f"stopped; go on with --resume, or use {options.output / train.MODEL}", file=sys.stderr)
        return 130
    plots.write(options.output)
    print(f"complete: {options.output / train.MODEL}", file=sys.stderr)
    return 0
