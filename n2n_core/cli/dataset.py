"""``n2n dataset import | show | check``: manage datasets for training."""

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
    """Add the command and its three subcommands."""
    help = "import pictures as a dataset, show a dataset, or check it before training"
    command = commands.add_parser("dataset", help=help, description=help)
    subcommands = command.add_subparsers(title="subcommands", required=True, metavar="SUBCOMMAND")
    _import(subcommands)
    _show(subcommands)
    _check(subcommands)


def _import(commands: Commands) -> None:
    help = "import a ZIP or TAR, a folder, a .pkl or .npz file, or pictures"
    command = add_command(commands, "import", run_import, help)
    command.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="archive, folder, file or pictures to read"
    )
    command.add_argument("-o", "--output", type=Path, required=True, help="folder to create")
    command.add_argument("--kind", required=True, choices=KINDS, help="kind of the pictures")
    command.add_argument("--name", help="name of the dataset; the folder's name if not given")
    command.add_argument(
        "--rule", help="pattern that splits file names into scene and shot, such as {scene}_{shot}"
    )
    command.add_argument(
        "--pages",
        default="shots",
        choices=("shots", "scenes"),
        help="whether the pages of a TIFF are shots or scenes",
    )
    command.add_argument(
        "--data-range", type=float, help="value of white, if not the maximum of the data type"
    )
    command.add_argument(
        "--corruption", type=corruption, metavar="NOISE[,KEY=VALUE]", help="noise to add to clean pictures"
    )


def run_import(options: argparse.Namespace) -> None:
    """Write the dataset, and print its statistics."""
    dataset = import_dataset(
        options.sources, options.kind, options.output, name=options.name,
        corruption=options.corruption,
        options=ImportOptions(options.rule, options.pages, options.data_range),
    )  # fmt: skip
    _print_statistics(dataset)


def _show(commands: Commands) -> None:
    command = add_command(commands, "show", show, "print counts, sizes, values and noise of a dataset")
    command.add_argument("folder", type=Path, metavar="DATASET", help="folder of the dataset")
    command.add_argument("--sheet", type=Path, help="write a PNG of the first scenes")
    command.add_argument(
        "--verify", action="store_true", help="read all values and check that none has changed"
    )


def show(options: argparse.Namespace) -> None:
    """Print the statistics of a dataset."""
    dataset = Dataset.open(options.folder)
    if options.verify:
        dataset.verify()
    if options.sheet:
        _write(options.sheet, contact_sheet(dataset, range(min(len(dataset), 24))))
    _print_statistics(dataset)


def _check(commands: Commands) -> None:
    command = add_command(commands, "check", check, "check a dataset, and tell how to fix what is wrong")
    command.add_argument("folder", type=Path, metavar="DATASET", help="folder of the dataset")
    command.add_argument("--scenes", type=int, default=64, help="number of scenes to check")
    command.add_argument("--seed", type=int, default=0, help="random seed for the choice of scenes")
    command.add_argument("--sheet", type=Path, help="write a PNG of both shots and their difference")
    command.add_argument("--json", action="store_true", help="print the report as JSON")


def check(options: argparse.Namespace) -> None:
    """Print a line for each check, with advice below those that are not fine."""
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
    print(f"{report.verdict}, judged by {report.scenes} scenes")


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
