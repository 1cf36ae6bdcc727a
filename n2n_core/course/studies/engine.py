"""Conducts any study, each of its runs from where it was stopped.

A study's folder holds ``results.jsonl`` and, for each run, a folder of its own below ``runs``.
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
    """Do the runs whose results ``folder`` lacks.

    Args:
        scale: multiplies the number of training pairs.
        precision: of the networks on torch.nn, one of ``config.PRECISIONS``.
        repeats: runs of each kind, instead of the study's own number.
        jobs: runs at a time.
        should_stop: asked between steps; once true, what is under way is saved and the study ends.

    Returns:
        True if the study is complete, False if it was stopped.

    Raises:
        ConfigError: ``scale``, ``repeats`` or ``jobs`` cannot be, or ``folder`` holds other results.
        DataError: there are fewer pairs than the study needs at this scale.
    """
    check_budget(scale, repeats, jobs)
    study = study.with_precision(precision)
    needed, found = study.pairs(scale), len(data.train.input)
    if found < needed:
        raise DataError(
            f"the data has {found} training pairs, expected {needed} at scale {scale}: "
            f"take a scale of {found / needed * scale:.2g} or less, or more data"
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
    """The runs as they are complete; fewer than ``items`` if stopped."""
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
    """Raise ``ConfigError`` unless a study can be conducted so."""
    if not 0 < scale <= 1:
        raise ConfigError(f"scale is {scale}, expected a number above 0 and at most 1")
    for name, value in (("repeats", repeats), ("jobs", jobs)):
        if value is not None and value < 1:
            raise ConfigError(f"{name} is {value}, expected at least 1")


def _own(folder: Path, made: dict[str, Any]) -> list[Record]:
    """The results in ``folder``, which must have been ``made`` the same way."""
    found = results.read(folder)
    for record in found:
        for name, value in made.items():
            if record[name] != value:
                got = f"{folder} holds results with {name} {record[name]!r}"
                raise ConfigError(f"{got}, expected {value!r}, or another folder")
    return found
