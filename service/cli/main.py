"""The ``n2n`` command: the core's commands, ``serve``, ``jobs``, ``keys`` and ``openapi``."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from n2n_core import cli
from n2n_core.cli.command import Commands, add_command
from n2n_core.files import atomic_path
from service.cli import keys


def main() -> int:
    """Run the ``n2n`` command. Entry point of the console script."""
    return cli.main(more=COMMANDS)


def add(commands: Commands) -> None:
    """Add ``n2n serve`` and its options."""
    command = add_command(commands, "serve", serve, "serve the models over REST")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on")
    command.add_argument("--port", type=port, default=8000, help="port to listen on, 0 for any")
    command.add_argument(
        "--insecure", action="store_true",
        help="accept requests from other machines even if there is no API key",
    )  # fmt: skip


def add_jobs(commands: Commands) -> None:
    """Add ``n2n jobs`` and its subcommands."""
    from service.cli import jobs  # imported late, because the recipe's options load torch

    jobs.add(commands)


def add_openapi(commands: Commands) -> None:
    """Add ``n2n openapi`` and its options."""
    command = add_command(commands, "openapi", openapi, "write the OpenAPI document of the REST service")
    command.add_argument("-o", "--output", type=Path, help="file to write; standard output if not given")


COMMANDS: cli.More = {"serve": add, "jobs": add_jobs, "keys": keys.add, "openapi": add_openapi}
"""Commands that the service adds, by name."""


def port(text: str) -> int:
    """Parse a TCP port number."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, expected a number from 0 to 65535")
    return int(text)


def serve(options: argparse.Namespace) -> None:
    """Run the service until it is stopped. Other settings come from N2N_* variables."""
    from service.server import run  # imported late, so that other commands start without a web framework

    run(options.host, options.port, options.insecure)


def openapi(options: argparse.Namespace) -> None:
    """Write the OpenAPI document, without starting the service."""
    from service.app import create_app
    from service.settings.server import read_settings

    settings = read_settings().model_copy(update={"device": "cpu"})  # so that it does not look for a GPU
    text = written(create_app(settings).openapi())
    if options.output is None:
        sys.stdout.write(text)
        return
    with atomic_path(options.output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def written(document: dict[str, Any]) -> str:
    """Return the OpenAPI document as text, as in ``docs/openapi.json``."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
