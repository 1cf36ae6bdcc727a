"""Helpers that all commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from n2n_core.models import weights
from n2n_core.models.architectures import ENGINES

Commands = Any
"""Type of what ``add_subparsers`` returns, which argparse keeps private."""


class Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message, and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def report_error(error: Exception) -> int:
    """Print an error in one line on standard error, and return the exit code 2."""
    print(f"n2n: {' '.join(str(error).split())}", file=sys.stderr)
    return 2


def add_command(
    commands: Commands, name: str, run: Callable[[argparse.Namespace], int | None], help: str
) -> argparse.ArgumentParser:
    """Add a command that calls ``run`` with its options, and return its parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=help, description=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    command.set_defaults(run=run)
    return command


def add_engine(command: argparse.ArgumentParser) -> None:
    """Add the option ``--engine``."""
    command.add_argument(
        "--engine", choices=("auto", *ENGINES), default="auto",
        help="torch.nn or the scratch framework; auto selects the one that the model was trained with",
    )  # fmt: skip


def add_weights(command: argparse.ArgumentParser) -> None:
    """Add the option ``--weights``. Its default is the folder that the service reads."""
    default = Path(os.environ.get(weights.FOLDER_VARIABLE) or weights.SHIPPED)
    command.add_argument("--weights", type=Path, default=default, help="folder of models")


def model_path(model: str, folder: Path) -> Path:
    """Return the weights file of a model id after checking its hash, or ``model`` itself if it is a file."""
    if model.endswith(".safetensors"):
        return Path(model)
    entry = weights.find(model, folder)
    weights.verify(entry)
    return entry.path
