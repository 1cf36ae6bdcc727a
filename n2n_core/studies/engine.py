"""Conducts any study: its runs one after the other, each from where it was stopped.

A study's folder holds ``results.jsonl`` and, for each run, a folder of its own below ``runs``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from n2n_core import events, train, weights
from n2n_core.data import Pairs
from n2n_core.device import pick_device
from n2n_core.ensemble import self_ensemble
from n2n_core.errors import ConfigError, DataError
from n2n_core.events import Event
from n2n_core.inference import Denoiser
from n2n_core.metrics import psnr, to_bytes
from n2n_core.networks import StridedAutoEncoder
from n2n_core.studies import results
from n2n_core.studies.study import Run, Study

RUNS = "runs"
"""Where a study keeps its runs' folders."""


class StudyData(NamedTuple):
    """What a study's runs learn from and are judged by.

    Args:
        train: both noisy.
        validation: noisy and clean.
        clean: the inputs of ``train`` with clean targets, if there are any.
        card: what is known of the data.
    """

    train: Pairs
    validation: Pairs
    clean: Pairs | None
    card: dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Args:
        label: of the run under way.
        run, runs: its number, from 1 on, and how many there are.
        share: of the whole study's work, 0 to 1.
        left: estimated seconds, None while nobody knows.
        psnr: of the run, in dB, when it is complete.
    """

    label: str
    run: int
    runs: int
    share: float
    left: float | None
    psnr: float | None = None


def conduct(
    study: Study,
    data: StudyData,
    folder: Path,
    *,
    scale: float = 1.0,
    repeats: int | None = None,
    device: str = "auto",
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Do the runs whose results ``folder`` lacks.

    Args:
        scale: multiplies the number of training pairs.
        repeats: runs of each kind, instead of the study's own number.
        should_stop: asked between steps; once true, the run is saved and the study ends.

    Returns:
        True if the study is complete, False if it was stopped.

    Raises:
        ConfigError: ``scale`` or ``repeats`` cannot be, or ``folder`` holds other results.
        DataError: there are fewer pairs than the study needs at this scale.
    """
    _check(study, data, scale, repeats)
    made = {"study": study.title, "scale": scale, "data": weights.fingerprint(*data.train, *data.validation)}
    done = {(record["run"], record["seed"]) for record in _own(folder, made)}
    planned = [
        (run, seed)
        for run in study.runs
        if data.clean is not None or not run.clean
        for seed in range(repeats or run.repeats)
    ]
    teller = _Teller(planned, on_progress)
    for run, seed in planned:
        if (run.label, seed) in done:
            teller.skip(run)
            continue
        teller.begin(run)
        home = run_folder(folder, run, seed)
        record = _perform(run, seed, data, home, scale, device, teller, should_stop)
        if record is None:
            return False
        results.append(folder, made | record)
        (home / train.CHECKPOINT).unlink(missing_ok=True)
        teller.end(record["psnr"])
    return True


def run_folder(folder: Path, run: Run, seed: int) -> Path:
    """Where a study in ``folder`` keeps one of its runs."""
    return folder / RUNS / f"{re.sub('[^a-z0-9]+', '-', run.label.lower())}-{seed}"


def _check(study: Study, data: StudyData, scale: float, repeats: int | None) -> None:
    if not 0 < scale <= 1:
        raise ConfigError(f"scale is {scale}, expected a number above 0 and at most 1")
    if repeats is not None and repeats < 1:
        raise ConfigError(f"repeats is {repeats}, expected at least 1")
    needed, found = max(run.pairs(scale) for run in study.runs), len(data.train.input)
    if found < needed:
        raise DataError(
            f"the data has {found} training pairs, expected {needed} at scale {scale}: "
            f"take a scale of {found / needed * scale:.2g} or less, or more data"
        )


def _own(folder: Path, made: dict[str, Any]) -> list[results.Record]:
    """The results in ``folder``, which must have been ``made`` the same way."""
    found = results.read(folder)
    for record in found:
        for name, value in made.items():
            if record[name] != value:
                got = f"{folder} holds results with {name} {record[name]!r}"
                raise ConfigError(f"{got}, expected {value!r}, or another folder")
    return found


def _perform(
    run: Run,
    seed: int,
    data: StudyData,
    home: Path,
    scale: float,
    device: str,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> results.Record | None:
    """One run in the folder ``home``, and what is to be kept of it; None if it was stopped."""
    pairs = (data.clean if run.clean and data.clean is not None else data.train).take(run.pairs(scale))
    complete = train.fit(
        replace(run.config, seed=seed),
        pairs,
        data.validation,
        home,
        resume=(home / train.CHECKPOINT).exists(),
        device=device,
        data_card=data.card,
        on_event=on_event,
        should_stop=should_stop,
        architecture=run.architecture,
    )
    if not complete:
        return None
    record = results.record(run, seed, events.read(home), pick_device(device))
    ensemble = _ensemble(home / train.MODEL, data.validation, device) if run.ensemble else {}
    return record | {"pairs": len(pairs.input)} | ensemble


def _ensemble(model: Path, validation: Pairs, device: str) -> dict[str, float]:
    """The figures of the model's 8-fold self-ensemble."""
    outputs = self_ensemble(Denoiser.load(model, device), validation.input.float() / 255)
    found = psnr(to_bytes(outputs).cpu(), validation.target)
    return {"ensemble_psnr": found.per_image, "ensemble_psnr_pooled": found.pooled}


class _Teller:
    """Tells how far a study is, by the events of its runs."""

    def __init__(self, planned: Sequence[tuple[Run, int]], tell: Callable[[Progress], None]) -> None:
        self.tell, self.runs, self.number, self.steps = tell, len(planned), 0, 1
        self.total, self.reached = sum(_work(run) for run, _ in planned), 0.0
        self.start: tuple[float, float] | None = (
            None  # when this call began to train, and what was reached then
        )

    def skip(self, run: Run) -> None:
        """Its results are there."""
        self.number += 1
        self.reached += _work(run)

    def begin(self, run: Run) -> None:
        """It is under way; its events follow."""
        self.number += 1
        self.run, self.before = run, self.reached

    def __call__(self, event: Event) -> None:
        if event["event"] == "start":
            self.steps = event["total_steps"]
        self._reach(event["step"] / self.steps)

    def end(self, psnr: float) -> None:
        """The run is complete."""
        self._reach(1.0, psnr)

    def _reach(self, share: float, psnr: float | None = None) -> None:
        self.reached = self.before + share * _work(self.run)
        began, reached = self.start = self.start or (monotonic(), self.reached)
        gained = self.reached - reached
        left = (monotonic() - began) * (self.total - self.reached) / gained if gained > 0 else None
        share = self.reached / self.total
        self.tell(Progress(self.run.label, self.number, self.runs, share, left, psnr))


def _work(run: Run) -> float:
    """About what a run costs: a parameter is a product for each pixel, with strides for each fifth."""
    strided = isinstance(run.architecture, StridedAutoEncoder)
    products = weights.count_parameters(run.architecture.build()) / (5 if strided else 1)
    return run.config.epochs * run.share * products
