"""``n2n models`` and ``n2n publish``: list the models of a folder, and add to it."""

from __future__ import annotations

import argparse
from pathlib import Path

from n2n_core.cli.command import Commands, add_command, add_weights
from n2n_core.models import weights


def add(commands: Commands) -> None:
    """Add both commands."""
    _models(commands)
    _publish(commands)


def _models(commands: Commands) -> None:
    command = add_command(commands, "models", list_models, "list the models of a folder")
    add_weights(command)


def list_models(options: argparse.Namespace) -> None:
    """Print a line for each model."""
    for entry in weights.read_index(options.weights).values():
        network, _, card = weights.load(entry.path)
        size = f"{weights.count_parameters(network):,} parameters"
        psnr = card.metrics.get("psnr")
        quality = "" if psnr is None else f"{psnr:.2f} dB"
        print(f"{entry.id:12}{size:20}{quality:>10}  {entry.task}")


def _publish(commands: Commands) -> None:
    command = add_command(commands, "publish", publish, "add a trained model to a folder of models")
    command.add_argument("file", type=Path, help="model.safetensors of a run")
    command.add_argument("name", help="model id")
    command.add_argument("--task", default="", help="purpose of the model, in a sentence")
    command.add_argument("--replace", action="store_true", help="replace a model of this name")
    command.add_argument("--licence", help="licence note of the weights; the file's own if not given")
    add_weights(command)


def publish(options: argparse.Namespace) -> None:
    """Copy the file into the folder and add it to the index."""
    entry = weights.publish(
        options.file, options.name, options.task, options.licence, options.weights, overwrite=options.replace
    )
    print(f"{entry.path} sha256 {entry.sha256}")
