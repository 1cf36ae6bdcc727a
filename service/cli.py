"""The ``n2n`` command: the core's commands, ``serve`` and ``keys``."""

import argparse
import sys

from n2n_core import cli
from n2n_core.cli.command import Commands, add_command
from service import keys_command


def main() -> int:
    """The console script's entry point."""
    return cli.main(more=MORE)


def add(commands: Commands) -> None:
    """``n2n serve`` and its options."""
    command = add_command(commands, "serve", serve, "serve the models over REST")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on")
    command.add_argument("--port", type=port, default=8000, help="port to listen on, 0 for any")
    command.add_argument(
        "--insecure", action="store_true",
        help="let in whoever reaches the address, if there is no API key; else only this machine may",
    )  # fmt: skip


MORE: cli.More = {"serve": add, "keys": keys_command.add}
"""The commands that the core does not have."""


def port(text: str) -> int:
    """A TCP port from the command line."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, expected a number from 0 to 65535")
    return int(text)


def serve(options: argparse.Namespace) -> None:
    """Run the service until it is stopped; other settings come from N2N_* variables."""
    from service.main import run  # here, so that the other commands start without a web framework

    run(options.host, options.port, options.insecure)


if __name__ == "__main__":
    sys.exit(main())
