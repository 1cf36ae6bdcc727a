"""``n2n data``: make training data from folders of photos."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Generator
from tqdm import tqdm

from n2n_core.cli.command import Commands, add_command
from n2n_core.datasets.course_rule import CourseRule, find_photos, sample_scenes, shuffled, split_photos
from n2n_core.datasets.pairs import Pairs, save_pairs
from n2n_core.device import limit_threads
from n2n_core.errors import ConfigError, DataError
from n2n_core.files import atomic_path
from n2n_core.training.config import MAX_SEED

TRAINING, VALIDATION, DESCRIPTION = "train_data.pkl", "val_data.pkl", "data.json"
CLEAN = "clean_data.pkl"
"""Inputs of the training pairs with clean targets, for comparison."""


def add(commands: Commands) -> None:
    help = "make training data in the course's format from folders of photos, split by photo"
    command = add_command(commands, "data", make_data, help)
    rule = CourseRule()
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="folder of photos")
    command.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    command.add_argument("--pairs", type=int, default=50_000, help="number of training pairs")
    command.add_argument(
        "--validation", type=int, default=1_000, help="number of validation pairs (noisy, clean)"
    )
    command.add_argument(
        "--held-out", type=float, default=0.1, help="fraction of the photos held out for validation"
    )
    command.add_argument("--size", type=int, default=rule.size, help="side of the pictures in pixels")
    command.add_argument(
        "--min-block", type=int, default=rule.min_block, help="side of the smallest block in pixels"
    )
    command.add_argument("--short-side", type=int, help="resize photos to this short side first")
    command.add_argument("--seed", type=int, default=0, help="random seed of the split, crops and noise")
    command.add_argument(
        "--clean", action="store_true", help=f"also write {CLEAN}: the same inputs with clean targets"
    )


def make_data(options: argparse.Namespace) -> None:
    """Call ``write_data`` with the options."""
    rule = CourseRule(options.size, options.min_block, options.short_side)
    names = ("pairs", "validation", "held_out", "seed", "clean")
    write_data(options.photos, options.output, rule, **{name: getattr(options, name) for name in names})


def divided(folders: list[Path], held_out: float, seed: int) -> tuple[list[Path], list[Path], Generator]:
    """Return the photos to train on, the photos to validate on, and the generator after the split."""
    if not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed is {seed}, expected 0 to {MAX_SEED}")
    generator = Generator().manual_seed(seed)
    return *split_photos(find_photos(folders), held_out, generator), generator


def write_data(
    folders: list[Path],
    output: Path,
    rule: CourseRule = CourseRule(),  # noqa: B008 (it is frozen)
    *,
    pairs: int | None = 50_000,
    validation: int = 1_000,
    held_out: float = 0.1,
    seed: int = 0,
    clean: bool = False,
) -> None:
    """Write train_data.pkl (unless ``pairs`` is None), val_data.pkl and data.json.

    Also write clean_data.pkl if ``clean``.
    """
    for name, value in (("pairs", pairs), ("validation", validation)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}, expected at least 1")
    chosen, others, generator = divided(folders, held_out, seed)
    stacks = {}
    plan = [(VALIDATION, others, validation, 1)]
    if pairs is not None:
        plan.append((TRAINING, chosen, pairs, 2))
    for name, split, count, shots in plan:
        made = sample_scenes(split, count, rule, generator, shots)
        bar = tqdm(made, total=count, desc=name, unit="pair", disable=not sys.stderr.isatty())
        with limit_threads(1):
            stacks[name] = shuffled(bar, generator)
    files = {VALIDATION: Pairs(*stacks[VALIDATION])}
    if pairs is not None:
        first, second, truth = stacks[TRAINING]
        files |= {TRAINING: Pairs(first, second)} | ({CLEAN: Pairs(first, truth)} if clean else {})
    for name, file in files.items():
        # Save only after all are made, so that a folder never contains files of two different splits.
        save_pairs(output / name, file)
    description = {
        "corruption": "point-sampling", **asdict(rule), "seed": seed,
        "folders": [folder.name for folder in folders],
        "photos": len(chosen), "photos_held_out": len(others),
        "pairs": pairs, "validation_pairs": validation,
    }  # fmt: skip
    with atomic_path(output / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n")
    print(f"{output}: {pairs or 'fresh'} training and {validation} validation pairs")


def describe(folder: Path) -> dict[str, Any]:
    """Return the description that ``n2n data`` wrote into ``folder``, empty if there is none."""
    path = folder / DESCRIPTION
    if not path.exists():
        return {}
    try:
        description: dict[str, Any] = json.loads(path.read_text())
        return description
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error})") from error
