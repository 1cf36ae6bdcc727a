"""The jobs' rows. Every change of state is one guarded update, so that of two racers one loses cleanly.

A trainer holds its job by a lease, which its heartbeats renew, under a *fence*: a number that grows
with each lease. What it writes is written only while the row has its fence and is active; so a
trainer that was thought dead, and is not, can change nothing.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from service.exceptions import ConflictError, LeaseLostError, UnknownDatasetError, UnknownJobError
from service.storage.database import Database
from service.storage.ids import uuid7
from service.storage.job_states import ACTIVE, ENDED, State, leading_to
from service.storage.schema import datasets, jobs, now

MAX_ATTEMPTS = 3
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
    error_code: str | None
    error_detail: str | None
    log_tail: str | None
    result_version: int | None
    result_sha256: str | None

    @property
    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state in ENDED


@dataclass(frozen=True)
class Progress:
    """What a heartbeat tells."""

    step: int = 0
    total_steps: int | None = None
    phase: str = "starting"
    eta_seconds: float | None = None
    metrics: Json = field(default_factory=dict)
    has_checkpoint: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a job or an attempt failed: a code for programs, a sentence, the end of the log."""

    code: str
    detail: str
    log_tail: str = ""


class JobStore:
    """All that is done to jobs. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # What users ask for

    def create(
        self,
        spec: Json,
        name: str,
        dataset_id: str,
        *,
        job_id: str | None = None,
        validation_dataset_id: str | None = None,
        base_sha256: str | None = None,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> Job:
        """A new job, queued. With the ``job_id`` of one that exists, that one: asking twice is harmless.

        Raises:
            UnknownDatasetError: there is no such dataset, to train or to validate on.
            ConflictError: it is not ready.
        """
        job_id = job_id or uuid7()
        with self.database.write() as connection:
            if row := connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none():
                return _job(row)
            for needed in filter(None, (dataset_id, validation_dataset_id)):
                _check_ready(connection, needed)
            values = asdict(Progress(phase="queued")) | {
                "id": job_id, "state": State.QUEUED, "spec": spec, "name": name, "dataset_id": dataset_id,
                "validation_dataset_id": validation_dataset_id, "base_sha256": base_sha256,
                "created_at": now(), "updated_at": now(),
                "attempt": 0, "max_attempts": max_attempts, "fence": 0,
            }  # fmt: skip
            return _job(connection.execute(insert(jobs).values(values).returning(*jobs.c)).one())

    def get(self, job_id: str) -> Job:
        """The job of this id, or ``UnknownJobError``."""
        with self.database.read() as connection:
            return _get(connection, job_id)

    def page(
        self, states: Collection[State] = (), size: int = 50, after: str | None = None
    ) -> tuple[list[Job], str | None]:
        """Jobs, the newest first, and what to pass as ``after`` for the next page, None on the last."""
        query = select(jobs).order_by(jobs.c.id.desc()).limit(size + 1)
        if states:
            query = query.where(jobs.c.state.in_(states))
        if after is not None:
            query = query.where(jobs.c.id < after)
        with self.database.read() as connection:
            found = [_job(row) for row in connection.execute(query)]
        return found[:size], found[size - 1].id if len(found) > size else None

    def cancel(self, job_id: str) -> Job:
        """Ask the job to stop: at once if it is queued, else the trainer sees it at its next heartbeat.

        Raises:
            ConflictError: it has succeeded or failed. Cancelling twice is harmless.
        """
        with self.database.write() as connection:
            job = _get(connection, job_id, lock=True)
            if job.state is State.QUEUED:
                return _moved(connection, job, State.CANCELLED, cancel_requested_at=now(), **_cancelled())
            if job.state in (State.STARTING, State.RUNNING):
                return _moved(connection, job, State.CANCELLING, cancel_requested_at=now())
            if job.state in (State.CANCELLING, State.CANCELLED):
                return job
            raise ConflictError(f"job {job_id} has {job.state}: it cannot be cancelled")

    def resume(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again; it goes on from its checkpoint, with all attempts.

        Raises:
            ConflictError: it did not end so, or has no checkpoint, or its dataset is gone.
        """
        with self.database.write() as connection:
            job = _get(connection, job_id, lock=True)
            if job.state not in leading_to(State.QUEUED) & ENDED:
                raise ConflictError(f"job {job_id} is {job.state}, expected a failed or a cancelled one")
            if not job.has_checkpoint:
                raise ConflictError(f"job {job_id} has no checkpoint to go on from")
            try:
                for needed in (job.dataset_id, job.validation_dataset_id or job.dataset_id):
                    _check_ready(connection, needed or "")
            except UnknownDatasetError as error:
                raise ConflictError(f"a dataset of job {job_id} was deleted") from error
            cleared = dict.fromkeys(("finished_at", "cancel_requested_at", *_ERROR))
            return _moved(connection, job, State.QUEUED, attempt=0, phase="queued", **cleared)

    def delete(self, job_id: str, *, also: Callable[[], None] = lambda: None) -> None:
        """Forget a job that has ended, or raise ``ConflictError``; ``also`` is done before it is final."""
        with self.database.write() as connection:
            job = _get(connection, job_id, lock=True)
            if not job.done:
                raise ConflictError(f"job {job_id} is {job.state}: cancel it first")
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            also()

    # What the supervisor does

    def claim(self, host: str, limit: int, lease: float) -> Job | None:
        """Take the oldest queued job under a new fence, unless ``host`` has ``limit`` of them already."""
        with self.database.write() as connection:
            self.database.serialise(connection)
            held = select(func.count()).where(jobs.c.state.in_(ACTIVE), jobs.c.host == host)
            if connection.execute(held).scalar_one() >= limit:
                return None
            oldest = select(jobs.c.id).where(jobs.c.state == State.QUEUED).order_by(jobs.c.id).limit(1)
            job_id = connection.execute(oldest).scalar_one_or_none()
            if job_id is None:
                return None
            values = {
                "attempt": jobs.c.attempt + 1, "fence": jobs.c.fence + 1, "lease_until": now() + lease,
                "host": host, "started_at": func.coalesce(jobs.c.started_at, now()), "phase": "starting",
            }  # fmt: skip
            return _move(connection, job_id, {State.QUEUED}, State.STARTING, **values)

    def active(self, host: str) -> list[Job]:
        """The jobs that trainers of ``host`` hold."""
        return self._select(jobs.c.state.in_(ACTIVE), jobs.c.host == host)

    def expired(self) -> list[Job]:
        """The jobs whose lease has run out, of any host."""
        return self._select(jobs.c.state.in_(ACTIVE), jobs.c.lease_until < now())

    def fading(self, host: str, seconds: float) -> list[Job]:
        """The jobs of ``host`` whose lease runs out within ``seconds``, or has."""
        return self._select(
            jobs.c.state.in_(ACTIVE), jobs.c.host == host, jobs.c.lease_until < now() + seconds
        )

    def renew(self, job: Job, lease: float) -> bool:
        """Renew the lease of the attempt under the job's fence in its stead; False if it is over."""
        mine = jobs.c.id == job.id, jobs.c.fence == job.fence, jobs.c.state.in_(ACTIVE)
        with self.database.write() as connection:
            return (
                connection.execute(update(jobs).where(*mine).values(lease_until=now() + lease)).rowcount > 0
            )

    def overdue(self, host: str, seconds: float) -> list[Job]:
        """The jobs of ``host`` that were asked to stop ``seconds`` ago and have not."""
        late = jobs.c.cancel_requested_at < now() - seconds
        return self._select(jobs.c.state == State.CANCELLING, jobs.c.host == host, late)

    def lost(
        self,
        job: Job,
        failure: Failure,
        *,
        permanent: bool = False,
        expired: bool = False,
        has_checkpoint: bool = False,
    ) -> Job | None:
        """Record that the attempt under the job's fence is dead.

        The job is queued again, or fails if this was its last attempt or the failure ``permanent``,
        or is cancelled if that was asked for. With ``expired``, only if the lease has run out by now.
        ``has_checkpoint`` may know more than the last heartbeat did.

        Returns:
            The job as it is now; None if it is no longer that attempt's.
        """
        guards = [jobs.c.fence == job.fence, *([jobs.c.lease_until < now()] if expired else [])]
        with self.database.write() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job.id).with_for_update()).one_or_none()
            if row is None:  # deleted since
                return None
            current = _job(row)
            target: State = State.QUEUED
            values: Json = {"phase": "queued", "eta_seconds": None}
            if current.state is State.CANCELLING:
                target, values = State.CANCELLED, _cancelled()
            elif permanent or current.attempt >= current.max_attempts:
                target, values = State.FAILED, _failed(failure)
            values["has_checkpoint"] = has_checkpoint or current.has_checkpoint
            return _move(connection, job.id, ACTIVE, target, *guards, **values)

    # What the trainer does, each under its fence

    def running(self, job_id: str, fence: int, device: str) -> None:
        """The training begins; a job that is being cancelled stays so."""
        with self.database.write() as connection:
            _move(connection, job_id, ACTIVE, State.RUNNING, jobs.c.fence == fence, device=device)

    def heartbeat(self, job_id: str, fence: int, lease: float, progress: Progress) -> State:
        """Renew the lease and tell the progress; the answer tells whether to stop.

        Raises:
            LeaseLostError: the job is not this attempt's any more.
        """
        mine = jobs.c.id == job_id, jobs.c.fence == fence, jobs.c.state.in_(ACTIVE)
        values = {"lease_until": now() + lease, "updated_at": now(), **asdict(progress)}
        with self.database.write() as connection:
            renewed = update(jobs).where(*mine).values(values).returning(jobs.c.state)
            state = connection.execute(renewed).scalar_one_or_none()
        if state is None:
            raise LeaseLostError(job_id, fence)
        return State(state)

    def succeed(
        self, connection: Connection, job_id: str, fence: int, progress: Progress, version: int, sha256: str
    ) -> None:
        """Within the transaction that publishes the model: the job has succeeded.

        Raises:
            LeaseLostError: the job is not this attempt's any more; the transaction must not go on.
        """
        values = {
            **asdict(progress), "phase": "succeeded", "finished_at": now(), "result_version": version,
            "result_sha256": sha256,
        }  # fmt: skip
        if not _move(connection, job_id, ACTIVE, State.SUCCEEDED, jobs.c.fence == fence, **values):
            raise LeaseLostError(job_id, fence)

    def fail(self, job_id: str, fence: int, failure: Failure, progress: Progress) -> None:
        """The training cannot succeed, however often it is tried.

        Raises:
            LeaseLostError: the job is not this attempt's any more.
        """
        values = asdict(progress) | _failed(failure)
        with self.database.write() as connection:
            if not _move(connection, job_id, ACTIVE, State.FAILED, jobs.c.fence == fence, **values):
                raise LeaseLostError(job_id, fence)

    def stopped(self, job_id: str, fence: int, progress: Progress) -> Job:
        """The training stopped at a checkpoint: cancelled, or, where nobody asked for that, queued
        again without having used up an attempt.

        Raises:
            LeaseLostError: the job is not this attempt's any more.
        """
        mine = jobs.c.fence == fence
        told = asdict(progress)
        with self.database.write() as connection:
            cancelled = told | _cancelled()
            queued = told | {"phase": "queued", "eta_seconds": None, "attempt": jobs.c.attempt - 1}
            job = _move(connection, job_id, {State.CANCELLING}, State.CANCELLED, mine, **cancelled) or _move(
                connection, job_id, ACTIVE, State.QUEUED, mine, **queued
            )
        if job is None:
            raise LeaseLostError(job_id, fence)
        return job

    def _select(self, *conditions: ColumnElement[bool]) -> list[Job]:
        with self.database.read() as connection:
            return [_job(row) for row in connection.execute(select(jobs).where(*conditions))]


_ERROR = ("error_code", "error_detail", "log_tail")


def _failed(failure: Failure) -> Json:
    values = zip(_ERROR, (failure.code, failure.detail, failure.log_tail), strict=True)
    return dict(values) | {"finished_at": now(), "phase": "failed", "eta_seconds": None}


def _cancelled() -> Json:
    return {"finished_at": now(), "phase": "cancelled", "eta_seconds": None}


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    return Job(**values | {"state": State(values["state"])})


def _get(connection: Connection, job_id: str, lock: bool = False) -> Job:
    query = select(jobs).where(jobs.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownJobError(job_id)
    return _job(row)


def _check_ready(connection: Connection, dataset_id: str) -> None:
    query = select(datasets.c.state).where(datasets.c.id == dataset_id)
    state = connection.execute(query).scalar_one_or_none()
    if state is None:
        raise UnknownDatasetError(dataset_id)
    if state != "ready":
        raise ConflictError(f"dataset {dataset_id} is {state}, expected a ready one")


def _move(
    connection: Connection,
    job_id: str,
    sources: Iterable[State],
    target: State,
    *guards: ColumnElement[bool],
    **values: Any,
) -> Job | None:
    """Change the state to ``target`` if it is one of ``sources`` that may lead there, and all guards hold."""
    allowed = jobs.c.state.in_(leading_to(target) & set(sources))
    if target not in ACTIVE:
        values["lease_until"] = None
    statement = (
        update(jobs)
        .where(jobs.c.id == job_id, allowed, *guards)
        .values(state=target, updated_at=now(), **values)
        .returning(*jobs.c)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else _job(row)


def _moved(connection: Connection, job: Job, target: State, **values: Any) -> Job:
    """``_move`` of a job whose row this transaction has locked: it cannot fail."""
    moved = _move(connection, job.id, {job.state}, target, **values)
    assert moved, f"{job.state} does not lead to {target}"
    return moved
