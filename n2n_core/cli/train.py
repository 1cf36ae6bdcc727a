"""``n2n train``: a model from noisy pairs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
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
from n2n_core.training.config_file import Recipe
from n2n_core.training.run_folder import plots

STOPPED = 130


def add(commands: Commands) -> None:
    command = add_command(commands, "train", run_training, "train a model from noisy pairs")
    command.add_argument(
        "data", type=Path, nargs="+",
        help="a dataset, or a folder with train_data.pkl and val_data.pkl; "
        "with a recipe that says how they become data, folders of photos",
    )  # fmt: skip
    command.add_argument("--recipe", type=Path, metavar="FILE", help="TOML; other options go before it")
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    command.add_argument(
        "--validation-data", type=Path, metavar="DATASET", help="validate on another dataset"
    )
    add_recipe(command, defaults=False)
    command.add_argument("--initial", metavar="FILE", help="weights to start from; random if not given")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--threads", type=int, help="CPU threads; torch's default if not given")


Data = tuple[Scenes | Pairs, Scenes | Pairs | None, dict[str, Any]]
"""What to train on, what to validate on if it is not a share of that, and what is known of it."""


def _data(folder: Path, other: Path | None) -> Data:
    """Those of a dataset, or of files."""
    if (folder / MANIFEST).exists():
        scenes, held_out = Dataset.open(folder), Dataset.open(other) if other else None
        return (
            scenes,
            held_out,
            {"kind": scenes.kind, "scenes": len(scenes), "fingerprint": scenes.fingerprint},
        )
    if other:
        raise ConfigError(f"validation data is {other}, expected none: {folder} has its own")
    pairs, validation = (load_pairs(folder / name) for name in (TRAINING, VALIDATION))
    return pairs, validation, describe(folder)


RULE = tuple(field.name for field in fields(CourseRule))
SPLIT = ("pairs", "validation", "held_out", "seed")


def _rule(recipe: Recipe) -> CourseRule:
    return CourseRule(**{name: recipe.data[name] for name in RULE if name in recipe.data})


def _fresh(sources: list[Path], folder: Path, recipe: Recipe) -> Data:
    """Pairs that are made as they are asked for, of those photos that ``folder`` does not validate on."""
    chosen, _, _ = divided(sources, recipe.data.get("held_out", 0.1), recipe.data.get("seed", 0))
    scenes = CourseScenes.of(chosen, _rule(recipe))
    return (
        scenes,
        load_pairs(folder / VALIDATION),
        describe(folder) | {"fingerprint": scenes.fingerprint},
    )


def _prepared(sources: list[Path], recipe: Recipe, config: TrainConfig, output: Path) -> Path:
    """The folder of the training data: the only source, or what ``recipe`` makes of photos in ``output``."""
    if recipe.data:
        folder = output / "data"
        if recipe.data["kind"] == "clean" and not (folder / MANIFEST).exists():
            name = ", ".join(source.name for source in sources)
            import_dataset(sources, "clean", folder, name=name, corruption=config.corruption)
        elif recipe.data["kind"] == "course" and not (folder / DESCRIPTION).exists():
            rest = {name: value for name, value in recipe.data.items() if name in SPLIT}
            if recipe.data.get("fresh"):
                rest["pairs"] = None
            write_data(sources, folder, _rule(recipe), **rest)
        return folder
    if len(sources) > 1:
        raise ConfigError(
            f"{len(sources)} folders of data, expected one, or a recipe that makes data of photos"
        )
    return sources[0]


def run_training(options: argparse.Namespace) -> int:
    """Train, with a progress bar; the first Ctrl-C stops at a checkpoint."""
    if options.threads is not None:
        set_threads(options.threads)
    recipe = config_file.load(options.recipe) if options.recipe else config_file.Recipe({}, {})
    names = [field.name for field in fields(TrainConfig)]
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    config = TrainConfig(**{**recipe.train, **given})
    folder = _prepared(options.data, recipe, config, options.output)
    fresh = recipe.data.get("fresh")
    found = _fresh(options.data, folder, recipe) if fresh else _data(folder, options.validation_data)
    runs = [(config, options.output)]
    if config.initial is None:
        before = [TrainConfig(**{**recipe.train, **run, **given}) for run in recipe.before]
        runs = [(run, options.output / f"before-{i}") for i, run in enumerate(before, 1)] + runs
    for number, (run, output) in enumerate(runs):
        resume = options.resume and (number == 0 or (output / loop.CHECKPOINT).exists())
        if number:
            run = replace(run, initial=str(runs[number - 1][1] / loop.MODEL))
        if not _fit(run, found, output, options, resume):
            return STOPPED
    return 0


def _fit(config: TrainConfig, found: Data, folder: Path, options: argparse.Namespace, resume: bool) -> bool:
    """Train in ``folder``, or go on there; whether it came to the end."""
    scenes, validation, card = found
    with StopOnInterrupt() as stop, tqdm(unit="step", disable=not sys.stderr.isatty()) as bar:
        complete = loop.fit(
            config,
            scenes,
            validation,
            folder,
            resume=resume,
            device=options.device,
            data_card=card,
            on_event=lambda event: show(event, bar),
            should_stop=lambda: stop.requested,
        )
    if complete:
        plots.write(folder)
        print(f"complete: {folder / loop.MODEL}", file=sys.stderr)
    else:
        print(f"stopped; go on with --resume, or use {folder / loop.MODEL}", file=sys.stderr)
    return complete
