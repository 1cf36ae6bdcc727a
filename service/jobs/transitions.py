"""Changes of a job's state, each one guarded update: of two writers at once, exactly one succeeds.

All functions work within a transaction of the caller.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from service.exceptions import ConflictError, UnknownDatasetError, UnknownJobError
from service.jobs.records import Failure, Job, Json
from service.storage.job_states import ACTIVE, State, leading_to
from service.storage.schema import datasets, jobs, now

ERROR_COLUMNS = ("error_code", "error_detail", "log_tail")


def job_of(row: Row[Any]) -> Job:
    """Return a row of ``jobs`` as a ``Job``."""
    values = dict(row._mapping)
    return Job(**values | {"state": State(values["state"])})


def get_job(connection: Connection, job_id: str, lock: bool = False) -> Job:
    """Return the job of this id, with its row locked if asked for, or raise ``UnknownJobError``."""
    query = select(jobs).where(jobs.c.id == job_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownJobError(job_id)
    return job_of(row)


def check_ready(connection: Connection, dataset_id: str) -> None:
    """Check that jobs can train on a dataset.

    Raises:
        UnknownDatasetError: there is no such dataset.
        ConflictError: it is not ready.
    """
    query = select(datasets.c.state).where(datasets.c.id == dataset_id)
    state = connection.execute(query).scalar_one_or_none()
    if state is None:
        raise UnknownDatasetError(dataset_id)
    if state != "ready":
        raise ConflictError(f"dataset {dataset_id} is {state}, expected a ready one")


def move(
    connection: Connection,
    job_id: str,
    sources: Iterable[State],
    target: State,
    *guards: ColumnElement[bool],
    **values: Any,
) -> Job | None:
    """Change a job's state to ``target``, and columns to ``values``.

    Nothing changes, and None is returned, unless the state is one of ``sources``, may lead to ``target``, and
    all ``guards`` hold.
    """
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
    return None if row is None else job_of(row)


def move_locked(connection: Connection, job: Job, target: State, **values: Any) -> Job:
    """``move`` a job whose row this transaction has locked, so that it cannot fail."""
    moved = move(connection, job.id, {job.state}, target, **values)
    assert moved, f"{job.state} does not lead to {target}"
    return moved


def failed(failure: Failure) -> Json:
    """Return the columns of a job that has failed."""
    values = zip(ERROR_COLUMNS, (failure.code, failure.detail, failure.log_tail), strict=True)
    return dict(values) | {"finished_at": now(), "phase": "failed", "eta_seconds": None}


def cancelled() -> Json:
    """Return the columns of a job that was cancelled."""
    return {"finished_at": now(), "phase": "cancelled", "eta_seconds": None}
