"""The command line: ``n2n denoise | data | dataset | train | evaluate | study | models | publish``.

The service adds ``serve``, ``jobs``, ``keys`` and ``openapi``.
On bad input a command prints one line to standard error and exits with code 2.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import n2n_core
from n2n_core.cli.command import Commands, Parser, report_error
from n2n_core.device import let_threads_sleep
from n2n_core.errors import N2NError
from n2n_core.image import libtiff

More: TypeAlias = Mapping[str, Callable[[Commands], None]]
"""Maps the name of each command to the function that adds it to the parser."""

NONE: More = {}


def main(arguments: Sequence[str] | None = None, more: More = NONE) -> int:
    """Run one command of the core or of ``more``, and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    let_threads_sleep()
    # The core's commands import torch, which a command of ``more`` may not need.
    adds = {first: more[first]} if first in more else {**more, **core()}
    options = parser(adds).parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # about damaged files, which we report ourselves
    libtiff.silence()
    try:
        return int(options.run(options) or 0)
    except (N2NError, OSError) as error:
        return report_error(error)
    except KeyboardInterrupt:
        return 130


def parser(adds: More) -> Parser:
    """Return the parser of all commands and their options."""
    root = Parser(prog="n2n", description="Image denoisers from noisy pictures alone (Noise2Noise).")
    root.add_argument("--version", action="version", version=f"n2n {n2n_core.__version__}")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in adds.values():
        add(commands)
    return root


def core() -> More:
    """Return the core's commands."""
    from n2n_core.cli import data, dataset, denoise, evaluate, models, study, train

    parts = {
        "denoise": denoise, "data": data, "dataset": dataset, "train": train, "evaluate": evaluate,
        "study": study, "models": models,
    }  # fmt: skip
    return {name: part.add for name, part in parts.items()}
