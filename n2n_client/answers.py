"""What the service answers, as dataclasses.

Only what identifies a thing must be there. Fields that are not known here are ignored, so a client
goes on working with a service that is newer.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

Json = dict[str, Any]


def _known(kind: type[Any], values: Json) -> Json:
    """Those of ``values`` that ``kind`` has fields for."""
    return {each.name: values[each.name] for each in fields(kind) if each.name in values}


@dataclass(frozen=True)
class Answer:
    """What all answers have in common."""

    @classmethod
    def read(cls, values: Json) -> Self:
        """From JSON; a ``TypeError`` or ``ValueError`` if it is not such an answer."""
        return cls(**_known(cls, values))

    @classmethod
    def read_if(cls, values: Json | None) -> Self | None:
        """From JSON, where null is None."""
        return None if values is None else cls.read(values)


@dataclass(frozen=True)
class Model(Answer):
    """A model that is served; ``id`` is what ``denoise`` takes."""

    id: str
    task: str = ""
    default: bool = False
    parameters: int | None = None
    sha256: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Check(Answer):
    """One property of a dataset; ``verdict`` is fine, warning or refuse."""

    name: str
    verdict: str
    figure: float | None = None
    unit: str = ""
    message: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Report(Answer):
    """What the checks of a dataset found; ``verdict`` is the worst of them."""

    verdict: str
    checks: tuple[Check, ...] = ()

    @classmethod
    def read(cls, values: Json) -> Self:
        return cls(values["verdict"], tuple(Check.read(check) for check in values.get("checks") or ()))


@dataclass(frozen=True)
class DenoiseReport(Answer):
    """Where a denoised picture comes from.

    Noise levels and spreads are in grey levels of 0 to 255, PSNR is in dB. ``self_ensemble`` and
    ``reference`` are None where they were not asked for; a figure of them is where it is infinite, or
    the picture too small.
    """

    model: str
    version: int | None = None
    sha256: str = ""
    noise: Json = field(default_factory=dict)
    strength: float = 1.0
    self_ensemble: dict[str, float] | None = None
    stretch: float | None = None
    reference: dict[str, float | None] | None = None
    width: int = 0
    height: int = 0
    bits: int = 8
    format: str = ""
    window: tuple[int, int] = (0, 0)
    halo: int = 0
    period: int = 1
    tiles: int = 0
    device: str = ""
    milliseconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Json) -> Self:
        return cls(**_known(cls, values) | {"window": tuple(values.get("window") or (0, 0))})


@dataclass(frozen=True)
class Denoised:
    """A picture without noise, where it comes from, and, if asked for, a map of the uncertainty as a PNG."""

    image: bytes
    report: DenoiseReport
    uncertainty: bytes | None = None


@dataclass(frozen=True)
class Dataset(Answer):
    """Pictures to train on; ``kind`` is pairs, bursts, single or clean."""

    id: str
    name: str = ""
    kind: str = ""
    state: str = ""
    counts: Json = field(default_factory=dict)
    report: Report | None = None

    @classmethod
    def read(cls, values: Json) -> Self:
        parts = {"counts": values.get("counts") or {}, "report": Report.read_if(values.get("report"))}
        return cls(**_known(cls, values) | parts)


@dataclass(frozen=True)
class Progress(Answer):
    """How far a job is; what is None is not known yet."""

    step: int = 0
    total_steps: int | None = None
    fraction: float = 0.0
    eta_seconds: float | None = None
    phase: str = ""


@dataclass(frozen=True)
class Result(Answer):
    """The model that came of a job."""

    model: str
    version: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Failure(Answer):
    """Why a job has no model; ``code`` is stable, for programs."""

    code: str
    detail: str = ""
    log_tail: str = ""


@dataclass(frozen=True)
class Job(Answer):
    """A training job.

    ``state`` is queued, starting, running, cancelling, succeeded, failed or cancelled; ``done`` says
    whether it is one of the last three, with either ``result`` or ``error``.
    """

    id: str
    state: str
    name: str = ""
    done: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    updated_at: datetime | None = None
    finished_at: datetime | None = None
    progress: Progress = Progress()
    metrics: dict[str, float | None] = field(default_factory=dict)
    attempt: int = 0
    max_attempts: int = 0
    spec: Json = field(default_factory=dict)
    result: Result | None = None
    error: Failure | None = None
    links: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, values: Json) -> Self:
        times = {
            name: datetime.fromisoformat(values[name])
            for name in ("created_at", "started_at", "updated_at", "finished_at")
            if values.get(name)
        }
        parts = {
            "progress": Progress.read(values.get("progress") or {}),
            "result": Result.read_if(values.get("result")),
            "error": Failure.read_if(values.get("error")),
        }
        return cls(**_known(cls, values) | times | parts)


@dataclass(frozen=True)
class Event:
    """A line of a job's log: ``start``, ``step``, ``epoch``, ``stopped``, ``end``, with its figures."""

    name: str
    values: Json
