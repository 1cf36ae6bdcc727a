"""``n2n data``: training data from folders of photos."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Generator
from tqdm import tqdm

from n2n_core import data
from n2n_core.cli.command import Commands, add_command
from n2n_core.device import limit_threads
from n2n_core.errors import ConfigError, DataError
from n2n_core.files import atomic_path
from n2n_core.recipe import MAX_SEED

TRAINING, VALIDATION, DESCRIPTION = "train_data.pkl", "val_data.pkl", "data.json"


def add(commands: Commands) -> None:
    help = "make training data of the course's format from folders of photos, split by photo"
    command = add_command(commands, "data", make_data, help)
    rule = data.CourseRule()
    command.add_argument("photos", nargs="+", type=Path, metavar="PHOTOS", help="folder of photos")
    command.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    command.add_argument("--pairs", type=int, default=50_000, help="training pairs")
    command.add_argument("--validation", type=int, default=1_000, help="validation pairs (noisy, clean)")
    command.add_argument("--held-out", type=float, default=0.1, help="share of the photos for validation")
    command.add_argument("--size", type=int, default=rule.size, help="side of the pictures")
    command.add_argument("--min-block", type=int, default=rule.min_block, help="smallest block side")
    command.add_argument("--short-side", type=int, help="resize photos to this short side first")
    command.add_argument("--seed", type=int, default=0, help="of the split, crops and noise")


def make_data(options: argparse.Namespace) -> None:
    """Write train_data.pkl, val_data.pkl and data.json."""
    rule = data.CourseRule(options.size, options.min_block, options.short_side)
    for name in ("pairs", "validation"):
        if getattr(options, name) < 1:
            raise ConfigError(f"{name} is {getattr(options, name)}, expected at least 1")
    if not 0 <= options.seed <= MAX_SEED:
        raise ConfigError(f"seed is {options.seed}, expected 0 to {MAX_SEED}")
    generator = Generator().manual_seed(options.seed)
    photos = data.find_photos(options.photos)
    training, held_out = data.split_photos(photos, options.held_out, generator)
    files = {}
    for name, chosen, count, clean in (
        (VALIDATION, held_out, options.validation, True),
        (TRAINING, training, options.pairs, False),
    ):
        made = data.sample_pairs(chosen, count, rule, generator, clean_target=clean)
        bar = tqdm(made, total=count, desc=name, unit="pair", disable=not sys.stderr.isatty())
        with limit_threads(1):
            files[name] = data.shuffled_pairs(iter(bar), generator)
    for name, pairs in files.items():  # both, or neither: of two splits they would share photos
        data.save_pairs(options.output / name, pairs)
    description = {
        "corruption": "point-sampling", **asdict(rule), "seed": options.seed,
        "folders": [folder.name for folder in options.photos],
        "photos": len(training), "photos_held_out": len(held_out),
        "pairs": options.pairs, "validation_pairs": options.validation,
    }  # fmt: skip
    with atomic_path(options.output / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n")
    print(f"{options.output}: {options.pairs} training and {options.validation} validation pairs")


def describe(folder: Path) -> dict[str, Any]:
    """What ``n2n data`` noted of the data in ``folder``; nothing if it was not made so."""
    path = folder / DESCRIPTION
    if not path.exists():
        return {}
    try:
        description: dict[str, Any] = json.loads(path.read_text())
        return description
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error})") from error
