"""``n2n train``: train a model from noisy pairs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from tqdm import tqdm

from n2n_core.cli.command import Commands, add_command
from n2n_core.cli.data import DESCRIPTION, TRAINING, VALIDATION, describe, divided, write_data
from n2n_core.cli.interrupt import StopOnInterrupt
from n2n_core.cli.progress import show
from n2n_core.cli.recipe import add_recipe
from n2n_core.datasets.course_rule import CourseRule
from n2n_core.datasets.course_scenes import CourseScenes
from n2n_core.datasets.dataset import MANIFEST, Dataset
from n2n_core.datasets.importing.importer import import_dataset
from n2n_core.datasets.pairs import Pairs, load_pairs
from n2n_core.datasets.scenes import Scenes
from n2n_core.device import set_threads
from n2n_core.errors import ConfigError
from n2n_core.training import config_file, loop
from n2n_core.training.config import TrainConfig
from n2n_core.training.config_file import CleanData, CourseData, Recipe
from n2n_core.training.run_folder import plots

STOPPED = 130


def add(commands: Commands) -> None:
    """Add the command and its options."""
    command = add_command(commands, "train", run_training, "train a model from noisy pairs")
    command.add_argument(
        "data", type=Path, nargs="+",
        help="dataset, or folder with train_data.pkl and val_data.pkl; "
        "folders of photos if the recipe has a table [data]",
    )  # fmt: skip
    command.add_argument(
        "--recipe", type=Path, metavar="FILE", help="recipe file (TOML); other options override its values"
    )
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="continue from the run's checkpoint")
    command.add_argument("--validation-data", type=Path, metavar="DATASET", help="dataset to validate on")
    names = add_recipe(command)
    command.add_argument(
        "--initial", metavar="FILE", default=argparse.SUPPRESS,
        help="weights to start from (default: random weights)",
    )  # fmt: skip
    command.set_defaults(fields=[*names, "initial"])
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--threads", type=int, help="CPU threads; torch's default if not given")


def run_training(options: argparse.Namespace) -> int:
    """Train with a progress bar. The first Ctrl-C stops at a checkpoint."""
    if options.threads is not None:
        set_threads(options.threads)
    recipe = config_file.load(options.recipe) if options.recipe else Recipe()
    given = {name: getattr(options, name) for name in options.fields if hasattr(options, name)}
    config = recipe.train.model_copy(update=given)
    before = [run.model_copy(update=given) for run in recipe.before if config.initial is None]
    found = _data(options, recipe.data, config)
    folders = [options.output / f"before-{i}" for i, _ in enumerate(before, 1)] + [options.output]
    for number, (run, folder) in enumerate(zip([*before, config], folders, strict=True)):
        resume = options.resume and (number == 0 or (folder / loop.CHECKPOINT).exists())
        if number:
            run = run.model_copy(update={"initial": str(folders[number - 1] / loop.MODEL)})
        if not _fit(run, found, folder, options.device, resume):
            return STOPPED
    return 0


Data = tuple[Scenes | Pairs, Scenes | Pairs | None, dict[str, Any]]
"""Training data, validation data (None: hold out a share of the training data), and the data card."""


def _data(options: argparse.Namespace, kind: CourseData | CleanData | None, config: TrainConfig) -> Data:
    """Open the training data, after making them from photos if the recipe says so."""
    photos, made = options.data, options.output / "data"
    if isinstance(kind, CourseData):
        return _course_data(photos, made, kind)
    if isinstance(kind, CleanData):
        if not (made / MANIFEST).exists():
            name = ", ".join(source.name for source in photos)
            import_dataset(photos, "clean", made, name=name, corruption=config.corruption)
        return _open(made, options.validation_data)
    if len(photos) > 1:
        raise ConfigError(
            f"{len(photos)} folders of data, expected one, or a recipe that makes data from photos"
        )
    return _open(photos[0], options.validation_data)


def _open(folder: Path, other: Path | None) -> Data:
    """Open the dataset or the pickle files in ``folder``, with the dataset ``other`` for validation."""
    if (folder / MANIFEST).exists():
        scenes, held_out = Dataset.open(folder), Dataset.open(other) if other else None
        card = {"kind": scenes.kind, "scenes": len(scenes), "fingerprint": scenes.fingerprint}
        return scenes, held_out, card
    if other:
        raise ConfigError(f"validation data is {other}, expected none: {folder} has validation data")
    pairs, validation = (load_pairs(folder / name) for name in (TRAINING, VALIDATION))
    return pairs, validation, describe(folder)


def _course_data(photos: list[Path], folder: Path, kind: CourseData) -> Data:
    """Make the course's files in ``folder`` unless they exist, and open them."""
    rule = CourseRule(**kind.given(*(field.name for field in fields(CourseRule))))
    split = kind.given("held_out", "seed")
    if not (folder / DESCRIPTION).exists():
        pairs = {"pairs": None} if kind.fresh else kind.given("pairs")
        write_data(photos, folder, rule, **pairs, **kind.given("validation"), **split)
    if not kind.fresh:
        return _open(folder, None)
    chosen, _, _ = divided(photos, split.get("held_out", 0.1), split.get("seed", 0))
    scenes = CourseScenes.of(chosen, rule)
    card = describe(folder) | {"fingerprint": scenes.fingerprint}
    return scenes, load_pairs(folder / VALIDATION), card


def _fit(config: TrainConfig, found: Data, folder: Path, device: str, resume: bool) -> bool:
    """Train in ``folder``, or resume the run there. Return whether the run is complete."""
    scenes, validation, card = found
    with StopOnInterrupt() as stop, tqdm(unit="step", disable=not sys.stderr.isatty()) as bar:
        complete = loop.fit(
            config,
            scenes,
            validation,
            folder,
            resume=resume,
            device=device,
            data_card=card,
            on_event=lambda event: show(event, bar),
            should_stop=lambda: stop.requested,
        )
    if complete:
        plots.write(folder)
        print(f"complete: {folder / loop.MODEL}", file=sys.stderr)
    else:
        print(f"stopped; continue with --resume, or use {folder / loop.MODEL}", file=sys.stderr)
    return complete
