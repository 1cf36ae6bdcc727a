"""The command line: ``n2n denoise | data | dataset | train | evaluate | study | models | publish | jobs``.

The service adds ``serve``. Bad input ends with one line on standard error and exit code 2.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence

import n2n_core
from n2n_core.cli import data, dataset, denoise, evaluate, jobs, models, study, train
from n2n_core.cli.command import Commands, Parser
from n2n_core.errors import N2NError

CORE = (denoise.add, data.add, dataset.add, train.add, evaluate.add, study.add, models.add, jobs.add)


def main(arguments: Sequence[str] | None = None, more: Sequence[Callable[[Commands], None]] = ()) -> int:
    """Run one command, of the core's or of ``more``; returns the exit code."""
    options = parser(more).parse_args(arguments)
    warnings.filterwarnings("ignore", module="PIL")  # damaged files: the error is ours to tell
    try:
        return int(options.run(options) or 0)
    except (N2NError, OSError) as error:
        print(f"n2n: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parser(more: Sequence[Callable[[Commands], None]] = ()) -> Parser:
    """All commands and their options."""
    root = Parser(prog="n2n", description="Image denoisers from noisy pictures alone (Noise2Noise).")
    root.add_argument("--version", action="version", version=f"n2n {n2n_core.__version__}")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (*more, *CORE):
        add(commands)
    return root
