"""``n2n dataset import | show | check``: pictures that people have, made ready for training."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from n2n_core.cli.command import Commands, add_command
from n2n_core.cli.recipe import corruption
from n2n_core.datasets.checks.statistics import statistics
from n2n_core.datasets.checks.suite import check_dataset
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.importer import ImportOptions, import_dataset
from n2n_core.datasets.importing.naming import KINDS
from n2n_core.datasets.thumbnails import contact_sheet
from n2n_core.errors import ConfigError
from n2n_core.files import atomic_path


def add(commands: Commands) -> None:
    """The command with its three subcommands."""
    help = "import pictures as a dataset, show one, check one before training"
    command = commands.add_parser("dataset", help=help, description=help)
    subcommands = command.add_subparsers(title="subcommands", required=True, metavar="SUBCOMMAND")
    _import(subcommands)
    _show(subcommands)
    _check(subcommands)


def _import(commands: Commands) -> None:
    help = "from a ZIP or TAR, a folder, a .pkl, an .npz, or pictures"
    command = add_command(commands, "import", run_import, help)
    command.add_argument("sources", nargs="+", type=Path, metavar="SOURCE", help="what is read")
    command.add_argument("-o", "--output", type=Path, required=True, help="folder to make")
    command.add_argument("--kind", required=True, choices=KINDS, help="what a scene has")
    command.add_argument("--name", help="of the dataset; the folder's if not given")
    command.add_argument("--rule", help="how names tell scene and shot, as {scene}_{shot}")
    command.add_argument(
        "--pages", default="shots", choices=("shots", "scenes"), help="what a TIFF's pages are"
    )
    command.add_argument("--data-range", type=float, help="the value of white, where it is not the type's")
    command.add_argument(
        "--corruption", type=corruption, metavar="NOISE[,KEY=VALUE]", help="noise for clean pictures"
    )


def run_import(options: argparse.Namespace) -> None:
    """Write the dataset and say what is in it."""
    dataset = import_dataset(
        options.sources, options.kind, options.output, name=options.name,
        corruption=options.corruption,
        options=ImportOptions(options.rule, options.pages, options.data_range),
    )  # fmt: skip
    _print_statistics(dataset)


def _show(commands: Commands) -> None:
    command = add_command(commands, "show", show, "counts, sizes, values and noise of a dataset")
    command.add_argument("folder", type=Path, metavar="DATASET", help="folder of the dataset")
    command.add_argument("--sheet", type=Path, help="PNG of the first scenes to write")
    command.add_argument("--verify", action="store_true", help="read all values, see that none has changed")


def show(options: argparse.Namespace) -> None:
    """Print the figures."""
    dataset = Dataset.open(options.folder)
    if options.verify:
        dataset.verify()
    if options.sheet:
        _write(options.sheet, contact_sheet(dataset, range(min(len(dataset), 24))))
    _print_statistics(dataset)


def _check(commands: Commands) -> None:
    command = add_command(commands, "check", check, "what is wrong with the data, and what to do about it")
    command.add_argument("folder", type=Path, metavar="DATASET", help="folder of the dataset")
    command.add_argument("--scenes", type=int, default=64, help="scenes to look at")
    command.add_argument("--seed", type=int, default=0, help="of the choice of scenes")
    command.add_argument("--sheet", type=Path, help="PNG of both shots and their difference to write")
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def check(options: argparse.Namespace) -> None:
    """Print a line for each check, and the advice below those that are not fine."""
    if options.scenes < 1:
        raise ConfigError(f"scenes is {options.scenes}, expected at least 1")
    report = check_dataset(Dataset.open(options.folder), options.scenes, options.seed)
    if options.sheet:
        _write(options.sheet, report.picture)
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
        return
    for found in report.checks:
        print(f"{found.name:12}{found.verdict:9}{found.message}")
        if found.advice:
            print(f"{'':21}{found.advice}")
    print(f"{report.verdict}, by {report.scenes} scenes")


def _print_statistics(dataset: Dataset) -> None:
    found = statistics(dataset)
    sizes = ", ".join(f"{width} x {height}" for height, width, _ in found.sizes[:3])
    more = ", ..." if len(found.sizes) > 3 else ""
    print(
        f"{dataset.name}: {dataset.kind}, {found.scenes} scenes, {found.pictures} pictures of {sizes}{more}"
    )
    print(
        f"values      {found.low:.3f} to {found.high:.3f}, mean {found.mean:.3f}, clipped {found.clipped:.2%}"
    )
    print(f"noise       {found.sigma * 255:.2f} of 255")
    print(f"fingerprint {dataset.fingerprint}")


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
