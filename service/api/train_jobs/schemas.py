"""What is asked of training jobs, and what is told of them."""

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from n2n_core.models import architectures
from n2n_core.training.config import CHOICES, LEAST, MAX_SEED, TrainConfig
from service.jobs.records import Job
from service.storage.job_states import State

MOST = dict.fromkeys(LEAST, 10**6) | {"seed": MAX_SEED}
"""The largest that the recipe's whole numbers may be."""

_CHOICES = CHOICES | {"model": tuple(architectures.MODELS), "engine": ("auto", *architectures.ENGINES)}


_MEANINGS = dict(re.findall(r"^ {8}(\w+): ((?:.+)(?:\n {12}.+)*)", TrainConfig.__doc__ or "", re.MULTILINE))


def _recipe() -> dict[str, Any]:
    """A field for each of ``TrainConfig``, with its default; a base stands for ``initial``."""
    types = get_type_hints(TrainConfig)
    return {
        field.name: (
            _type(field.name, types[field.name]),
            Field(
                field.default,
                description=_meaning(field.name),
                json_schema_extra=_by_the_base if field.name == "model" else None,
            ),
        )
        for field in fields(TrainConfig)
        if field.name != "initial"
    }


def _by_the_base(schema: dict[str, Any]) -> None:
    """Programs send the defaults that they are told, and this one is a base's own, if there is one."""
    schema["description"] += f" If not given, that of `base`, or {schema.pop('default')}."


def _meaning(name: str) -> str:
    """What ``TrainConfig`` says of the field."""
    return re.sub(r"\s+", " ", _MEANINGS.get(name, "")).replace("``", "`")


def _type(name: str, plain: Any) -> Any:
    if name in _CHOICES:
        return Literal[tuple(_CHOICES[name])]
    return Annotated[plain, Field(ge=LEAST[name], le=MOST[name])] if name in LEAST else plain


Recipe = create_model(
    "Recipe",
    __doc__="How to train; every field has a default.",
    __config__=ConfigDict(extra="forbid", strict=True),
    **_recipe(),
)


class TrainJobRequest(Recipe):  # type: ignore[valid-type, misc]
    """A training to be done: `dataset` is enough."""

    dataset: str = Field(description="the id of the dataset to train on", max_length=64)
    validation_dataset: str | None = Field(
        default=None,
        description="the id of another one to validate on; if null, the share `validation` of `dataset`",
        max_length=64,
    )
    name: str | None = Field(
        default=None, description="of the model that comes of it; of the dataset's if null"
    )
    base: str | None = Field(
        default=None, description="the model to start from, `name` or `name@version`", max_length=80
    )
    force: bool = Field(default=False, description="train although the dataset's checks warn")


class JobProgress(BaseModel):
    """How far a job is."""

    step: int
    total_steps: int | None = Field(description="null until it is known")
    fraction: float = Field(description="of the steps, 0 to 1; training may end before 1", ge=0, le=1)
    eta_seconds: float | None = Field(description="estimated time left; null while nobody knows")
    phase: str = Field(description="queued, starting, training, publishing, or how it ended")


class JobResult(BaseModel):
    """The model that came of a job."""

    model: str
    version: int
    sha256: str


class JobError(BaseModel):
    """Why there is no model."""

    code: str = Field(description="stable, for programs", examples=["diverged"])
    detail: str
    log_tail: str = Field(description="the end of the trainer's log")


class TrainJob(BaseModel):
    """A training job. When it is done, exactly one of `result` and `error` is not null."""

    id: str
    name: str = Field(description="of the model")
    dataset: str | None = Field(description="null once it was deleted")
    validation_dataset: str | None = Field(description="null if a share of `dataset` is held out")
    base_sha256: str | None = Field(description="hash of the weights that it starts from")
    state: State
    done: bool
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    progress: JobProgress
    metrics: dict[str, int | float | None] = Field(description="the newest figures of the training")
    attempt: int
    max_attempts: int
    resumable: bool = Field(description="whether there is a checkpoint to go on from")
    device: str | None
    spec: dict[str, Any] = Field(description="the whole recipe")
    result: JobResult | None
    error: JobError | None
    links: dict[str, str]


class TrainJobList(BaseModel):
    """A page of jobs, the newest first."""

    jobs: list[TrainJob]
    next_page_token: str | None = Field(description="for the next page; null on the last")


class JobMetrics(BaseModel):
    """The history of a training."""

    history: list[dict[str, Any]] = Field(
        description="an object a report: `step`s, and `epoch`s with validation"
    )


class Sample(BaseModel):
    """Pictures before and after: noisy, denoised, reference, a scene a row."""

    name: str = Field(examples=["epoch-0001.png"])
    epoch: int
    href: str


class SampleList(BaseModel):
    """A job's samples by epoch."""

    samples: list[Sample]


def describe(job: Job) -> TrainJob:
    """The job as the API tells it."""
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
    return JobError(code=job.error_code or "", detail=job.error_detail or "", log_tail=job.log_tail or "")


def _links(job: Job) -> dict[str, str]:
    own = f"/train-jobs/{job.id}"
    parts = ("metrics", "events", "samples", "log", "cancel", "resume")
    links = {"self": own} | {part: f"{own}/{part}" for part in parts}
    links |= {f"{name}_plot": f"{own}/plots/{name}.png" for name in ("loss", "psnr")}
    return links | ({"model": f"/models/{job.name}"} if job.state is State.SUCCEEDED else {})
