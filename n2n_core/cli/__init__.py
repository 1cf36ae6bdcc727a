"""The command line: ``n2n denoise | data | dataset | train | evaluate | study | models | publish``.

The service adds ``serve``, ``jobs``, ``keys`` and ``openapi``.
Bad input ends with one line on standard error and exit code 2.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import n2n_core
from n2n_core.cli.command import Commands, Parser
from n2n_core.device import let_threads_sleep
from n2n_core.errors import N2NError
from n2n_core.image import libtiff

More: TypeAlias = Mapping[str, Callable[[Commands], None]]
"""Commands by their names, each with what adds it."""

NONE: More = {}


def main(arguments: Sequence[str] | None = None, more: More = NONE) -> int:
    """Run one command, of the core's or of ``more``; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    let_threads_sleep()
    # The core's commands load torch, of which one of ``more`` may have no need.
    adds = {first: more[first]} if first in more else {**more, **core()}
    options = parser(adds).parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # damaged files: the error is ours to tell
    libtiff.silence()
    try:
        return int(options.run(options) or 0)
    except (N2NError, OSError) as error:
        print(f"n2n: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parser(adds: More) -> Parser:
    """Commands and their options."""
    root = Parser(prog="n2n", description="Image denoisers from noisy pictures alone (Noise2Noise).")
    root.add_argument("--version", action="version", version=f"n2n {n2n_core.__version__}")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in adds.values():
        add(commands)
    return root


def core() -> More:
    """The core's commands."""
    from n2n_core.cli import data, dataset, denoise, evaluate, models, study, train

    parts = {
        "denoise": denoise, "data": data, "dataset": dataset, "train": train, "evaluate": evaluate,
        "study": study, "models": models,
    }  # fmt: skip
    return {name: part.add for name, part in parts.items()}
