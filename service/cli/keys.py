"""``n2n keys add | list | remove``: manage the API keys of the service."""

import argparse
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from n2n_core.cli.command import Commands, add_command
from service.access.scopes import MEANINGS, SCOPES

if TYPE_CHECKING:
    from service.access.keys import ApiKeys


def add(commands: Commands) -> None:
    """Add ``n2n keys`` and its subcommands."""
    help = "make, list and remove API keys of the service"
    command = commands.add_parser("keys", help=help, description=help)
    subcommands = command.add_subparsers(title="subcommands", required=True, metavar="SUBCOMMAND")
    meanings = "; ".join(f"{scope}: {meaning}" for scope, meaning in MEANINGS.items())
    making = add_command(subcommands, "add", add_key, "make a key and print it")
    making.add_argument("name", metavar="NAME", help="name of the key, as shown in lists and in the log")
    making.add_argument(
        "--scopes", required=True, type=lambda text: text.split(","), metavar=",".join(SCOPES), help=meanings
    )
    add_command(subcommands, "list", list_keys, "list the keys with their scopes and creation times")
    removing = add_command(subcommands, "remove", remove_key, "remove a key")
    removing.add_argument("name", metavar="NAME", help="name of the key")


def add_key(options: argparse.Namespace) -> None:
    """Make a key. Print the key alone to standard output, the rest to standard error."""
    from service.access.keyring import remember
    from service.settings.server import read_settings
    from service.storage.data_folder import DataFolder

    keys = _keys()
    print(keys.add(options.name, options.scopes))
    remember(DataFolder(read_settings().data).keys_required)
    where = keys.database.engine.url.render_as_string(hide_password=True)
    _say(f"made key {options.name!r} in {where}; it cannot be shown again")


def list_keys(options: argparse.Namespace) -> None:
    """Print one line per key."""
    for key in _keys().list():
        made = datetime.fromtimestamp(key.created_at, UTC).strftime("%Y-%m-%d %H:%M")
        scopes = ",".join(scope for scope in SCOPES if scope in key.scopes)
        print(f"{key.name:20} {scopes:20} {made} UTC")


def remove_key(options: argparse.Namespace) -> None:
    """Remove a key, and warn if it was the last one."""
    keys = _keys()
    keys.remove(options.name)
    if not keys.list():
        _say("that was the last key: the service rejects all requests until there is another one")


def _keys() -> "ApiKeys":
    from service.access.keys import ApiKeys  # imported late, so that other commands start without a database
    from service.settings.server import read_settings
    from service.storage.database import Database

    database = Database(read_settings().database_url)
    database.migrate()
    return ApiKeys(database)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
