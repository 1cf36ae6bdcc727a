"""What the commands share."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from n2n_core.models import weights
from n2n_core.models.architectures import ENGINES

Commands = Any
"""What ``add_subparsers`` returns; argparse keeps its type private."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int | None], help: str
) -> argparse.ArgumentParser:
    """A new command that calls ``run`` with its options."""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.set_defaults(run=run)
    return command


def add_engine(command: argparse.ArgumentParser) -> None:
    """The option ``--engine``."""
    command.add_argument(
        "--engine", choices=("auto", *ENGINES), default="auto",
        help="torch.nn or the framework by hand; auto is the model's own",
    )  # fmt: skip


def add_weights(command: argparse.ArgumentParser) -> None:
    """The option ``--weights``, by default the folder that the service reads."""
    default = Path(os.environ.get(weights.FOLDER_VARIABLE) or weights.SHIPPED)
    command.add_argument("--weights", type=Path, default=default, help="folder of models")


def model_path(model: str, folder: Path) -> Path:
    """The weights file of a model id, its hash checked, or ``model`` itself if it is a file."""
    if model.endswith(".safetensors"):
        return Path(model)
    entry = weights.find(model, folder)
    weights.verify(entry)
    return entry.path
