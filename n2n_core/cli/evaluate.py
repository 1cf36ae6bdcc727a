"""``n2n evaluate``: compare models and classical baselines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from n2n_core.cli.command import Commands, add_command, add_engine, add_weights, model_path
from n2n_core.cli.recipe import corruption
from n2n_core.device import pick_device, set_threads
from n2n_core.errors import ConfigError
from n2n_core.evaluation import baselines
from n2n_core.evaluation.baselines import ALL, BASELINES
from n2n_core.evaluation.batches import Batch, find_pairs, of_clean, of_file, of_pairs, pictures
from n2n_core.evaluation.compare import NOISY, Comparison, compare
from n2n_core.evaluation.methods import Method, classical, network
from n2n_core.evaluation.sheet import Sheet
from n2n_core.evaluation.table import markdown
from n2n_core.files import atomic_path, storing
from n2n_core.noise.corruptions import noise


def add(commands: Commands) -> None:
    command = add_command(
        commands, "evaluate", evaluate, "measure models and classical baselines on noisy pictures"
    )
    command.add_argument("data", type=Path, help="a file such as val_data.pkl, or a folder of pictures")
    command.add_argument(
        "--model", nargs="+", default=["scratch", "torch"], help="model ids or .safetensors files"
    )
    command.add_argument(
        "--against", nargs="+", default=[], metavar="BASELINE",
        help=f"baselines: {', '.join(BASELINES)}, or {ALL} for all that are installed",
    )  # fmt: skip
    command.add_argument(
        "--noise",
        type=corruption,
        metavar="NOISE[,KEY=VALUE]",
        help="noise to add to a folder of clean pictures",
    )
    command.add_argument("--seed", type=int, default=0, help="random seed of the added noise")
    command.add_argument(
        "--rounded", action=argparse.BooleanOptionalAction, default=True,
        help="round noisy pictures to 8 bits, as in files",
    )  # fmt: skip
    command.add_argument(
        "--noisy-suffix", metavar="END", help="for a folder of pairs: ending of the noisy files' names"
    )
    command.add_argument(
        "--clean-suffix", metavar="END", help="for a folder of pairs: ending of the clean files' names"
    )
    command.add_argument("--limit", type=int, help="use only the first LIMIT pictures")
    command.add_argument(
        "--sheet", type=Path, metavar="FILE", help="write a PNG that shows the first pictures"
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every picture")
    command.add_argument("--threads", type=int, default=2, help="CPU threads")
    add_engine(command)
    command.add_argument("--device", default="auto", help="device of the models: auto, cpu or cuda")
    add_weights(command)


def evaluate(options: argparse.Namespace) -> None:
    """Print a table with a row for the noisy pictures and for each model and baseline."""
    if options.limit is not None and options.limit < 1:
        raise ConfigError(f"limit is {options.limit}, expected at least 1")
    if options.sheet and options.sheet.suffix.lower() != ".png":
        raise ConfigError(f"{options.sheet}: suffix is {options.sheet.suffix!r}, expected '.png'")
    set_threads(options.threads)
    batches, methods, sheet = _batches(options), _methods(options), Sheet()
    found = compare(methods, tqdm(batches, unit="batch", disable=not sys.stderr.isatty()), sheet.see)
    print(_caption(options, found), markdown(found), sep="\n\n")
    if options.sheet:
        _write(options.sheet, sheet.png())
    if options.json:
        _write(options.json, json.dumps(_about(options) | found.to_dict(), indent=1).encode())


def _methods(options: argparse.Namespace) -> dict[str, Method]:
    """Load every method before anything is measured."""
    classics = baselines.chosen(options.against)
    for model in options.model:
        if model in (NOISY, *classics):
            raise ConfigError(f"model is {model!r}, expected a name that no other row of the table has")
    paths = {model: model_path(model, options.weights) for model in options.model}
    networks = {model: network(path, options.device, options.engine) for model, path in paths.items()}
    return networks | {name: classical(baseline, options.threads) for name, baseline in classics.items()}


def _batches(options: argparse.Namespace) -> Iterator[Batch]:
    """Return the pictures, as ``data`` and the other options say."""
    suffixes = [suffix for suffix in (options.noisy_suffix, options.clean_suffix) if suffix is not None]
    if not options.data.is_dir():
        if options.noise or suffixes:
            raise ConfigError(f"{options.data}: --noise and suffixes are for a folder, expected none of them")
        return of_file(options.data, options.limit)
    if bool(options.noise) == bool(suffixes) or len(suffixes) == 1:
        expected = "--noise for clean pictures, or --noisy-suffix and --clean-suffix for pairs"
        raise ConfigError(f"{options.data}: is a folder, expected {expected}")
    if options.noise:
        paths = pictures(options.data, options.limit)
        return of_clean(paths, noise(**options.noise), options.seed, options.rounded)
    pairs = find_pairs(options.data, suffixes[0], suffixes[1], options.limit)
    return of_pairs(pairs, options.rounded)


def _caption(options: argparse.Namespace, found: Comparison) -> str:
    """Describe what was measured."""
    noise = f" with {_words(options.noise)}" if options.noise else ""
    rounded = "results" if not options.rounded else "pictures and results"
    return (
        f"{len(found.names)} images{noise}, {rounded} rounded to 8 bits; PSNR in dB, per image and pooled; "
        f"models on {pick_device(options.device)}, CPU threads: {options.threads}"
    )


def _words(noise: dict[str, Any]) -> str:
    """Format a corruption as on the command line."""
    return ",".join([noise["name"], *(f"{k}={v:g}" for k, v in noise.items() if k != "name")])


def _about(options: argparse.Namespace) -> dict[str, Any]:
    """Describe the run for JSON."""
    names = ("noise", "seed", "rounded", "limit", "threads", "engine")
    where = {"data": str(options.data), "device": str(pick_device(options.device))}
    return where | {name: getattr(options, name) for name in names}


def _write(path: Path, content: bytes) -> None:
    with storing(path), atomic_path(path) as temporary:
        temporary.write_bytes(content)
