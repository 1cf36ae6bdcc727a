"""Bodies of the training-job endpoints. The recipe's fields are made from ``TrainConfig``."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from annotated_types import Le
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.fields import FieldInfo

from n2n_core.training.config import TrainConfig, shared_fields
from n2n_core.training.fields import description, plain_type
from service.jobs.exit_codes import FailureCode
from service.jobs.records import Job
from service.storage.job_states import State

MOST = 10**6
"""Upper bound of the recipe's whole numbers that have none of their own."""

_DOCUMENTED = TrainConfig.model_json_schema()["properties"]


def _field(name: str, field: FieldInfo) -> tuple[Any, Any]:
    """Return the type and the default of a field of requests."""
    about = Field(
        description=description(field), json_schema_extra=_default_of_base if name == "model" else None
    )
    return Annotated[(field.annotation, *_constraints(name, field), about)], field.default


def _constraints(name: str, field: FieldInfo) -> list[Any]:
    """Return what a request is checked against.

    The bounds of floats are only documented here: ``TrainConfig`` checks them, like everything that concerns
    more than one field, and the error code is then ``bad_recipe``.
    """
    if plain_type(field) is float:
        return [WithJsonSchema(_DOCUMENTED[name])]
    bounded = plain_type(field) is not int or any(isinstance(one, Le) for one in field.metadata)
    return field.metadata if bounded else [*field.metadata, Le(MOST)]


def _default_of_base(schema: dict[str, Any]) -> None:
    """Document a default that depends on ``base``: clients send the fixed defaults that they read."""
    schema["description"] += f" Default: that of `base` if given, or else `{schema.pop('default')}`."


_FIELDS: dict[str, Any] = {name: _field(name, field) for name, field in shared_fields().items()}

Recipe = create_model(
    "Recipe",
    __doc__="How to train. Every field has a default.",
    __config__=ConfigDict(extra="forbid", strict=True),
    **_FIELDS,
)


class TrainJobRequest(Recipe):  # type: ignore[valid-type, misc]
    """A training job to submit. Only `dataset` is required."""

    dataset: str = Field(description="ID of the dataset to train on.", max_length=64)
    validation_dataset: str | None = Field(
        default=None,
        description="ID of another dataset to validate on. If null, the fraction `validation` of `dataset` "
        "is held out.",
        max_length=64,
    )
    name: str | None = Field(
        default=None,
        description="Name of the model to train. If null, it is derived from the dataset's name.",
    )
    base: str | None = Field(
        default=None, description="Model to start from, as `name` or `name@version`.", max_length=80
    )
    force: bool = Field(default=False, description="Train even if the dataset's checks gave warnings.")


class JobProgress(BaseModel):
    """Progress of a job."""

    step: int
    total_steps: int | None = Field(description="Null until it is known.")
    fraction: float = Field(
        description="Fraction of the steps done, 0 to 1. Training may end before 1.", ge=0, le=1
    )
    eta_seconds: float | None = Field(description="Estimated seconds left. Null if not known.")
    phase: str = Field(description="`queued`, `starting`, `training`, `publishing`, or the final state.")


class JobResult(BaseModel):
    """The model that a job produced."""

    model: str
    version: int
    sha256: str


class JobError(BaseModel):
    """The reason why a job produced no model."""

    code: Literal[FailureCode, "cancelled"] = Field(
        description="Stable code for programs.", examples=["diverged"]
    )
    detail: str
    log_tail: str = Field(description="The end of the training process's log.")


class TrainJob(BaseModel):
    """A training job. Once it is done, exactly one of `result` and `error` is not null."""

    id: str
    name: str = Field(description="Name of the model.")
    dataset: str | None = Field(description="Null if it has been deleted.")
    validation_dataset: str | None = Field(description="Null if a fraction of `dataset` is held out.")
    base_sha256: str | None = Field(description="SHA-256 of the weights that training starts from.")
    state: State
    done: bool
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    progress: JobProgress
    metrics: dict[str, int | float | None] = Field(description="The latest metrics of the training.")
    attempt: int
    max_attempts: int
    resumable: bool = Field(description="Whether the job can be resumed from a checkpoint.")
    device: str | None
    spec: dict[str, Any] = Field(description="The complete recipe.")
    result: JobResult | None
    error: JobError | None
    links: dict[str, str]


class TrainJobList(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[TrainJob]
    next_page_token: str | None = Field(description="Token for the next page. Null on the last page.")


class JobMetrics(BaseModel):
    """The history of a training."""

    history: list[dict[str, Any]] = Field(
        description="Events in order: `step` events, and `epoch` events with validation metrics."
    )


class Sample(BaseModel):
    """A sheet of pictures, one scene per row: noisy, denoised, reference."""

    name: str = Field(examples=["epoch-0001.png"])
    epoch: int
    href: str


class SampleGrid(BaseModel):
    """Where the pictures are on each sheet, in pixels. All have the same size."""

    columns: list[str] = Field(
        description="what each column shows, from left to right",
        examples=[["noisy", "denoised", "reference"]],
    )
    rows: int = Field(description="number of rows, each of one scene")
    x: int = Field(description="left edge of the first column's pictures")
    y: int = Field(description="upper edge of the first row's pictures")
    width: int = Field(description="of each picture")
    height: int = Field(description="of each picture")
    pitch: int = Field(description="distance from one picture to the next, in both directions")


class SampleList(BaseModel):
    """A job's samples by epoch."""

    samples: list[Sample]
    grid: SampleGrid | None = Field(
        description="the layout of all sheets; null before the first one, and if an older version drew them"
    )


def describe(job: Job) -> TrainJob:
    """Return the job as the API shows it."""
    return TrainJob(
        id=job.id,
        name=job.name,
        dataset=job.dataset_id,
        validation_dataset=job.validation_dataset_id,
        base_sha256=job.base_sha256,
        state=job.state,
        done=job.done,
        created_at=datetime.fromtimestamp(job.created_at, UTC),
        started_at=_time(job.started_at),
        updated_at=datetime.fromtimestamp(job.updated_at, UTC),
        finished_at=_time(job.finished_at),
        progress=_progress(job),
        metrics=job.metrics,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        resumable=job.has_checkpoint and job.state in (State.FAILED, State.CANCELLED),
        device=job.device,
        spec=job.spec,
        result=_result(job),
        error=_error(job),
        links=_links(job),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _progress(job: Job) -> JobProgress:
    share = min(job.step / job.total_steps, 1.0) if job.total_steps else 0.0
    fraction = 1.0 if job.state is State.SUCCEEDED else share
    return JobProgress(
        step=job.step,
        total_steps=job.total_steps,
        fraction=fraction,
        eta_seconds=job.eta_seconds,
        phase=job.phase,
    )


def _result(job: Job) -> JobResult | None:
    if job.result_version is None or job.result_sha256 is None:
        return None
    return JobResult(model=job.name, version=job.result_version, sha256=job.result_sha256)


def _error(job: Job) -> JobError | None:
    if job.state is State.CANCELLED:
        return JobError(code="cancelled", detail="the job was cancelled", log_tail="")
    if job.state is not State.FAILED:
        return None
    return JobError(
        code=job.error_code or "crashed", detail=job.error_detail or "", log_tail=job.log_tail or ""
    )


def _links(job: Job) -> dict[str, str]:
    own = f"/train-jobs/{job.id}"
    parts = ("metrics", "events", "samples", "log", "cancel", "resume")
    links = {"self": own} | {part: f"{own}/{part}" for part in parts}
    links |= {f"{name}_plot": f"{own}/plots/{name}.png" for name in ("loss", "psnr")}
    return links | ({"model": f"/models/{job.name}"} if job.state is State.SUCCEEDED else {})
