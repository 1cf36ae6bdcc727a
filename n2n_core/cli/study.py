"""``n2n study``: reproduce a study of the report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from n2n_core.cli.command import Commands, add_command
from n2n_core.cli.data import CLEAN, TRAINING, VALIDATION, describe, write_data
from n2n_core.cli.interrupt import StopOnInterrupt
from n2n_core.course import studies
from n2n_core.course.studies import PAIRS, StudyData, StudyProgress
from n2n_core.datasets.pairs import load_pairs
from n2n_core.device import set_threads
from n2n_core.training.config import PRECISIONS


def add(commands: Commands) -> None:
    help = "reproduce a study of the report; write a table and a plot of its results and ours"
    command = add_command(commands, "study", run_study, help)
    command.add_argument("name", choices=studies.STUDIES, metavar="NAME", help=", ".join(studies.STUDIES))
    command.add_argument(
        "data",
        type=Path,
        help=f"folder with {TRAINING} and {VALIDATION}, or folder of photos to make them from",
    )
    command.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        help="folder of the study; runs that are complete in it are not repeated",
    )
    command.add_argument("--scale", type=float, default=1.0, help=f"fraction of the report's {PAIRS:,} pairs")
    command.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="precision of the networks on torch.nn; bfloat16 takes half the time on many devices",
    )
    command.add_argument(
        "--repeats", type=int, help="number of seeds of each run; the study's own number if not given"
    )
    command.add_argument(
        "--jobs", type=int, default=1, help="number of runs at a time; small runs can share a GPU"
    )
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")
    command.add_argument("--threads", type=int, help="CPU threads; torch's default if not given")


def run_study(options: argparse.Namespace) -> int:
    """Do the missing runs, and print the table. The first Ctrl-C stops at a checkpoint."""
    if options.threads is not None:
        set_threads(options.threads)
    studies.check_budget(options.scale, options.repeats, options.jobs)  # before making data from photos
    study = studies.STUDIES[options.name]
    pairs = _data(options.data, options.output, study.pairs(options.scale))
    with StopOnInterrupt() as stop, tqdm(total=1.0, bar_format=BAR, disable=not sys.stderr.isatty()) as bar:
        complete = studies.conduct(
            study, pairs, options.output,
            scale=options.scale, precision=options.precision, repeats=options.repeats,
            jobs=options.jobs, device=options.device,
            on_progress=lambda progress: _show(progress, bar),
            should_stop=lambda: stop.requested,
        )  # fmt: skip
    print(studies.write(study, pairs, options.output, options.device))
    if not complete:
        print("stopped; run the same command again to continue", file=sys.stderr)
    return 0 if complete else 130


BAR = "{percentage:3.0f}%|{bar}| {desc}"


def _data(folder: Path, output: Path, pairs: int) -> StudyData:
    """Load the course's files in ``folder``. If it has photos, make ``pairs`` from them in ``output``."""
    if not (folder / TRAINING).exists():
        photos, folder = folder, output / "data"
        if not (folder / TRAINING).exists():
            write_data([photos], folder, pairs=pairs, clean=True)
    training, validation = (load_pairs(folder / name) for name in (TRAINING, VALIDATION))
    clean = load_pairs(folder / CLEAN) if (folder / CLEAN).exists() else None
    return StudyData(training, validation, clean, describe(folder))


def _show(progress: StudyProgress, bar: tqdm[NoReturn]) -> None:
    """Update the progress bar. Each complete run prints a line to standard error."""
    left = f", about {_minutes(progress.left)} left" if progress.left and round(progress.left) else ""
    text = f"run {progress.run} of {progress.runs}, {progress.label}"
    bar.n = progress.share
    bar.set_description_str(text + left)
    if progress.psnr is not None:
        with bar.external_write_mode(file=sys.stderr):
            print(f"{text}: {progress.psnr:.2f} dB per image{left}", file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    """Format seconds as minutes or hours.

    >>> _minutes(75.0), _minutes(4000.0)
    ('1:15 min', '1:07 h')
    """
    whole, unit = (round(seconds), "min") if seconds < 3600 else (round(seconds / 60), "h")
    return f"{whole // 60}:{whole % 60:02} {unit}"
