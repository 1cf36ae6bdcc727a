"""The service's answers as dataclasses.

Only the fields that identify a resource are required. Unknown fields are ignored, so that this client
works with a newer service.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

Json = dict[str, Any]


def _known(kind: type[Any], values: Json) -> Json:
    """Return the items of ``values`` that are fields of ``kind``."""
    return {each.name: values[each.name] for each in fields(kind) if each.name in values}


@dataclass(frozen=True)
class Answer:
    """Base class of all answers."""

    @classmethod
    def read(cls, values: Json) -> Self:
        """Make one from decoded JSON.

        Raises:
            TypeError, ValueError, KeyError, AttributeError: the JSON has another form.
        """
        return cls(**_known(cls, values))

    @classmethod
    def read_if(cls, values: Json | None) -> Self | None:
        """Make one from decoded JSON, or None from null."""
        return None if values is None else cls.read(values)


@dataclass(frozen=True)
class Model(Answer):
    """A model that the service can denoise with. Pass ``id`` to ``Client.denoise``."""

    id: str
    task: str = ""
    default: bool = False
    parameters: int | None = None
    sha256: str = ""
    metrics: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Check(Answer):
    """Result of one check of a dataset. ``verdict`` is ``fine``, ``warning`` or ``refuse``."""

    name: str
    verdict: str
    figure: float | None = None
    unit: str = ""
    message: str = ""
    advice: str = ""


@dataclass(frozen=True)
class Report(Answer):
    """Results of all checks of a dataset. ``verdict`` is the worst of theirs."""

    verdict: str
    checks: tuple[Check, ...] = ()

    @classmethod
    def read(cls, values: Json) -> Self:
        return cls(values["verdict"], tuple(Check.read(check) for check in values.get("checks") or ()))


@dataclass(frozen=True)
class DenoiseReport(Answer):
    """Report of a denoised picture: model, noise, quality, tiling and timings.

    Noise levels and spreads are in grey levels of 0 to 255, PSNR is in dB. ``self_ensemble`` and
    ``reference`` are None unless requested. A value in them is None if it is infinite, or if the picture
    is too small to compute it. The figures of a file of several pages are those of its first page, but
    ``tiles``, ``device`` and ``milliseconds`` are of all ``pages``.
    """

    model: str
    version: int | None = None
    sha256: str = ""
    noise: Json = field(default_factory=dict)
    strength: float = 1.0
    self_ensemble: dict[str, float] | None = None
    stretch: float | None = None
    reference: dict[str, float | None] | None = None
    pages: int = 1
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
    """A denoised picture file, its report and, if requested, a map of the uncertainty as a PNG."""

    image: bytes
    report: DenoiseReport
    uncertainty: bytes | None = None


@dataclass(frozen=True)
class Dataset(Answer):
    """Pictures to train on. ``kind`` is ``pairs``, ``bursts``, ``single`` or ``clean``."""

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
    """Progress of a job. Values that are not known yet are None."""

    step: int = 0
    total_steps: int | None = None
    fraction: float = 0.0
    eta_seconds: float | None = None
    phase: str = ""


@dataclass(frozen=True)
class Result(Answer):
    """The model that a job has trained."""

    model: str
    version: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Failure(Answer):
    """Reason of a failed job. ``code`` is stable and meant for programs."""

    code: str
    detail: str = ""
    log_tail: str = ""


@dataclass(frozen=True)
class Job(Answer):
    """A training job.

    ``state`` is ``queued``, ``starting``, ``running``, ``cancelling``, ``succeeded``, ``failed`` or
    ``cancelled``. ``done`` is true in the last three states, which have either a ``result`` or an ``error``.
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
    """One line of a job's log: ``start``, ``step``, ``epoch``, ``stopped`` or ``end``, with its values."""

    name: str
    values: Json
