"""Results of a study: one JSON object per line for each complete run."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import mean
from typing import Any

import torch

import n2n_core
from n2n_core.course.studies.study import Study, StudyRun
from n2n_core.models import architectures, weights
from n2n_core.training.run_folder import event_log
from n2n_core.training.run_folder.event_log import Event, EventLog

FILE = "results.jsonl"

Record = dict[str, Any]


def read(folder: Path) -> list[Record]:
    """Return the results in ``folder`` so far."""
    return event_log.read(folder, FILE)


def append(folder: Path, record: Record) -> None:
    """Append a result and the current time."""
    EventLog(folder, lambda event: None, FILE).emit("run", **record)


def record(run: StudyRun, seed: int, log: Sequence[Event], device: torch.device) -> Record:
    """Return the result of a complete run, from the events in its ``log``."""
    end = log[-1]
    figures = ("psnr", "psnr_pooled", "noisy_psnr", "noisy_psnr_pooled")
    return {
        "run": run.label,
        "seed": seed,
        "config": run.config.model_dump() | {"seed": seed},
        "architecture": architectures.describe(run.architecture),
        "parameters": weights.count_parameters(run.architecture.build()),
        **{name: end[name] for name in figures},
        "history": history(log),
        "seconds": end["seconds"],
        "versions": {
            "n2n": n2n_core.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "machine": machine(device),
    }


def history(log: Sequence[Event]) -> list[Record]:
    """Return the mean training loss and the validation PSNR of each epoch."""
    steps = sorted({e["step"]: e for e in log if e["event"] == "step"}.items())  # the last event of each step
    losses: dict[int, list[tuple[int, float]]] = {}
    before = 0
    for step, event in steps:
        losses.setdefault(event["epoch"] + 1, []).append((step - before, event["loss"]))
        before = step
    return [
        {
            "epoch": epoch,
            "loss": _mean(losses[epoch]),
            "psnr": event["psnr"],
            "psnr_pooled": event["psnr_pooled"],
        }
        for epoch, event in sorted({e["epoch"]: e for e in log if e["event"] == "epoch"}.items())
    ]


def machine(device: torch.device) -> dict[str, Any]:
    """Describe the device that computed a run: its type, name and number of CPU threads."""
    cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if cuda else _processor()
    return {"device": device.type, "name": name, "threads": torch.get_num_threads()}


@dataclass(frozen=True)
class Row:
    """Results of a run, or of an epoch, in dB. ``psnr`` and ``pooled`` have one value per repeat."""

    label: str
    psnr: tuple[float, ...]
    pooled: tuple[float, ...]
    noisy: float
    seconds: float | None = None
    parameters: int | None = None
    report: float | None = None
    report_seconds: float | None = None
    x: float | None = None
    series: str = "ours"

    @property
    def mean(self) -> float:
        """Mean PSNR per image over the repeats, in dB."""
        return mean(self.psnr)


def rows(study: Study, records: Sequence[Record]) -> list[Row]:
    """Return a row for each run that has results, or for each epoch. A run's self-ensemble follows it."""
    found = []
    for run in study.runs:
        own = [record for record in records if record["run"] == run.label]
        if own and study.epochs:
            found += _by_epoch(study, own)
        elif own:
            found.append(_row(run, run.label, own, "psnr"))
            if run.ensemble:
                found.append(_row(run, f"{run.label}, 8-fold self-ensemble", own, "ensemble_psnr"))
    return found


def _row(run: StudyRun, label: str, own: Sequence[Record], name: str) -> Row:
    return Row(
        label,
        tuple(_number(record[name]) for record in own),
        tuple(_number(record[f"{name}_pooled"]) for record in own),
        _number(own[0]["noisy_psnr"]),
        seconds=mean(record["seconds"] for record in own),
        parameters=own[0]["parameters"],
        report=run.report,
        report_seconds=run.seconds,
        x=run.x,
        series=run.series,
    )


def _by_epoch(study: Study, own: Sequence[Record]) -> list[Row]:
    report = dict(study.points)
    return [
        Row(
            f"epoch {epoch['epoch']}",
            tuple(_number(record["history"][index]["psnr"]) for record in own),
            tuple(_number(record["history"][index]["psnr_pooled"]) for record in own),
            _number(own[0]["noisy_psnr"]),
            report=report.get(epoch["epoch"]),
            x=epoch["epoch"],
        )
        for index, epoch in enumerate(own[0]["history"])
    ]


def _number(value: float | None) -> float:
    """Convert None to infinity, as JSON has no infinity."""
    return inf if value is None else value


def _mean(weighted: Sequence[tuple[int, float]]) -> float:
    return sum(weight * value for weight, value in weighted) / sum(weight for weight, _ in weighted)


def _processor() -> str:
    """Return the name of the CPU, as precisely as the system knows it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
