"""Database records of jobs, and the reports of trainers."""

from dataclasses import dataclass, field
from typing import Any

from service.jobs.exit_codes import FailureCode
from service.storage.job_states import ENDED, State

Json = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A row of ``jobs``. Times are seconds since 1970."""

    id: str
    state: State
    spec: Json
    name: str
    dataset_id: str | None
    validation_dataset_id: str | None
    base_sha256: str | None
    created_at: float
    started_at: float | None
    updated_at: float
    finished_at: float | None
    step: int
    total_steps: int | None
    phase: str
    eta_seconds: float | None
    metrics: Json
    has_checkpoint: bool
    attempt: int
    max_attempts: int
    fence: int
    lease_until: float | None
    host: str | None
    device: str | None
    cancel_requested_at: float | None
    error_code: FailureCode | None
    error_detail: str | None
    log_tail: str | None
    result_version: int | None
    result_sha256: str | None
    owner: str
    claimed_at: float | None

    @property
    def done(self) -> bool:
        """True if the job has ended: succeeded, failed or cancelled."""
        return self.state in ENDED


@dataclass(frozen=True)
class Progress:
    """Progress of a job, as reported by a heartbeat."""

    step: int = 0
    total_steps: int | None = None
    phase: str = "starting"
    eta_seconds: float | None = None
    metrics: Json = field(default_factory=dict)
    has_checkpoint: bool = False


@dataclass(frozen=True)
class Failure:
    """Reason of a failed job or attempt: a code for programs, a sentence, and the end of the log."""

    code: FailureCode
    detail: str
    log_tail: str = ""
