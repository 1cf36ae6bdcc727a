"""Conducts a study, and resumes runs that were stopped.

A study's folder contains ``results.jsonl``, and a folder for each run in ``runs``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from n2n_core.course.studies import parallel, results
from n2n_core.course.studies.parallel import Item
from n2n_core.course.studies.progress import ProgressReporter, StudyProgress
from n2n_core.course.studies.results import Record
from n2n_core.course.studies.study import Study
from n2n_core.course.studies.trainer import RunTrainer, StudyData, run_folder
from n2n_core.errors import ConfigError, DataError
from n2n_core.models import weights
from n2n_core.training import loop


def conduct(
    study: Study,
    data: StudyData,
    folder: Path,
    *,
    scale: float = 1.0,
    precision: str = "float32",
    repeats: int | None = None,
    jobs: int = 1,
    device: str = "auto",
    on_progress: Callable[[StudyProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train the runs that have no result in ``folder`` yet.

    Args:
        scale: factor for the number of training pairs, above 0 and at most 1.
        precision: precision of the networks on torch.nn, one of ``config.PRECISIONS``.
        repeats: number of seeds of each run; by default the study's own number.
        jobs: number of runs at a time, each in its own process if there are several.
        should_stop: called between steps. Once it returns True, running work is saved and the study stops.

    Returns:
        True if the study is complete, False if it was stopped.

    Raises:
        ConfigError: ``scale``, ``repeats`` or ``jobs`` is out of range, or ``folder`` contains results of
            another scale, precision or data.
        DataError: the data has fewer pairs than the study needs at this scale.
    """
    check_budget(scale, repeats, jobs)
    study = study.with_precision(precision)
    needed, found = study.pairs(scale), len(data.train.input)
    if found < needed:
        raise DataError(
            f"the data has {found} training pairs, expected {needed} at scale {scale}: "
            f"use a scale of {found / needed * scale:.2g} or less, or more data"
        )
    made = {
        "study": study.title,
        "scale": scale,
        "precision": precision,
        "data": weights.fingerprint(*data.train, *data.validation),
    }
    done = {(record["run"], record["seed"]) for record in _own(folder, made)}
    planned = [
        (run, seed)
        for run in study.runs
        if data.clean is not None or not run.clean
        for seed in range(repeats or run.repeats)
    ]
    missing = [(run, seed) for run, seed in planned if (run.label, seed) not in done]
    there = [run for run, seed in planned if (run.label, seed) in done]
    reporter = ProgressReporter([run for run, _ in planned], there, on_progress)
    trainer = RunTrainer(data, folder, scale, device)
    count = 0
    for (run, seed), record in _performed(missing, trainer, jobs, reporter, should_stop):
        results.append(folder, made | record)
        (run_folder(folder, run, seed) / loop.CHECKPOINT).unlink(missing_ok=True)
        reporter.end(record["psnr"])
        count += 1
    return count == len(missing)


def _performed(
    items: Sequence[Item],
    perform: RunTrainer,
    jobs: int,
    reporter: ProgressReporter,
    should_stop: Callable[[], bool],
) -> Iterator[tuple[Item, Record]]:
    """Yield each run when it is complete. Stops early once ``should_stop`` returns True."""
    if jobs > 1:
        for (run, seed), record in parallel.spread(items, perform, jobs, should_stop):
            reporter.begin(run)
            yield (run, seed), record
        return
    for run, seed in items:
        reporter.begin(run)
        result = perform(run, seed, reporter, should_stop)
        if result is None:
            return
        yield (run, seed), result


def check_budget(scale: float, repeats: int | None = None, jobs: int = 1) -> None:
    """Raise ``ConfigError`` if a value is out of range."""
    if not 0 < scale <= 1:
        raise ConfigError(f"scale is {scale}, expected a number above 0 and at most 1")
    for name, value in (("repeats", repeats), ("jobs", jobs)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}, expected at least 1")


def _own(folder: Path, made: dict[str, Any]) -> list[Record]:
    """Return the results in ``folder``. Raise ``ConfigError`` if they were not made with these values."""
    found = results.read(folder)
    for record in found:
        for name, value in made.items():
            if record[name] != value:
                got = f"{folder} contains results with {name} {record[name]!r}"
                raise ConfigError(f"{got}, expected {value!r}; choose another folder")
    return found
