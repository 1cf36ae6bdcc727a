"""The store of jobs: everything that users, the supervisor and trainers do to a job's row.

A trainer holds its job by a lease, which its heartbeats renew, under a *fence*: a number that grows with
each lease. What a trainer writes takes effect only while the row has its fence and is active, so a trainer
that was wrongly taken for dead can change nothing.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, update

from service.exceptions import ConflictError, LeaseLostError, UnknownDatasetError
from service.jobs.records import Failure, Job, Json, Progress
from service.jobs.transitions import (
    ERROR_COLUMNS,
    cancelled,
    check_ready,
    failed,
    get_job,
    job_of,
    move,
    move_locked,
)
from service.storage.database import Database
from service.storage.ids import uuid7
from service.storage.job_states import ACTIVE, ENDED, State, leading_to
from service.storage.schema import jobs, now, turns
from service.storage.shares import JOBS

MAX_ATTEMPTS = 3

_NEXT = (
    select(jobs.c.id, jobs.c.owner)
    .outerjoin(turns, turns.c.owner == jobs.c.owner)
    .where(jobs.c.state == State.QUEUED)
    .order_by(func.coalesce(turns.c.turn, 0), jobs.c.id)
    .limit(1)
)
"""The job that is claimed next."""


class JobStore:
    """The jobs of a database. Thread-safe.

    Args:
        most_jobs: unfinished jobs that one owner may have; None for no limit.
    """

    def __init__(self, database: Database, most_jobs: int | None = None) -> None:
        self.database, self.most_jobs = database, most_jobs

    # For users

    def create(
        self,
        spec: Json,
        name: str,
        dataset_id: str,
        *,
        job_id: str | None = None,
        validation_dataset_id: str | None = None,
        base_sha256: str | None = None,
        owner: str = "",
        max_attempts: int = MAX_ATTEMPTS,
    ) -> Job:
        """Queue a new job. If there is a job ``job_id`` already, return that one, so retries are harmless.

        Raises:
            UnknownDatasetError: there is no such dataset to train or to validate on.
            ConflictError: the dataset is not ready.
            JobQuotaError: the owner has too many unfinished jobs.
        """
        job_id = job_id or uuid7()
        with self.database.write() as connection:
            self.database.serialise(connection)  # of two at once, the second one counts the first
            if row := connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none():
                return job_of(row)
            for needed in filter(None, (dataset_id, validation_dataset_id)):
                check_ready(connection, needed)
            self._check_share(connection, owner)
            values = asdict(Progress(phase="queued")) | {
                "id": job_id, "state": State.QUEUED, "spec": spec, "name": name, "dataset_id": dataset_id,
                "validation_dataset_id": validation_dataset_id, "base_sha256": base_sha256,
                "created_at": now(), "updated_at": now(),
                "attempt": 0, "max_attempts": max_attempts, "fence": 0,
                "owner": owner,
            }  # fmt: skip
            return job_of(connection.execute(insert(jobs).values(values).returning(*jobs.c)).one())

    def get(self, job_id: str) -> Job:
        """Return the job of this id, or raise ``UnknownJobError``."""
        with self.database.read() as connection:
            return get_job(connection, job_id)

    def page(
        self, states: Collection[State] = (), size: int = 50, after: str | None = None
    ) -> tuple[list[Job], str | None]:
        """Return jobs, the newest first, and the ``after`` of the next page (None on the last page)."""
        query = select(jobs).order_by(jobs.c.id.desc()).limit(size + 1)
        if states:
            query = query.where(jobs.c.state.in_(states))
        if after is not None:
            query = query.where(jobs.c.id < after)
        with self.database.read() as connection:
            found = [job_of(row) for row in connection.execute(query)]
        return found[:size], found[size - 1].id if len(found) > size else None

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once if it is queued, else at the trainer's next heartbeat.

        Cancelling twice is harmless.

        Raises:
            ConflictError: the job has succeeded or failed.
        """
        with self.database.write() as connection:
            job = get_job(connection, job_id, lock=True)
            if job.state is State.QUEUED:
                return move_locked(connection, job, State.CANCELLED, cancel_requested_at=now(), **cancelled())
            if job.state in (State.STARTING, State.RUNNING):
                return move_locked(connection, job, State.CANCELLING, cancel_requested_at=now())
            if job.state in (State.CANCELLING, State.CANCELLED):
                return job
            raise ConflictError(f"job {job_id} has {job.state}: it cannot be cancelled")

    def resume(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again. It continues from its checkpoint, with all attempts.

        Raises:
            ConflictError: the job has neither failed nor been cancelled, has no checkpoint, or its dataset
                was deleted.
            JobQuotaError: the job's owner has too many unfinished jobs.
        """
        with self.database.write() as connection:
            self.database.serialise(connection)  # before the row is locked, as in ``claim``
            job = get_job(connection, job_id, lock=True)
            if job.state not in leading_to(State.QUEUED) & ENDED:
                raise ConflictError(f"job {job_id} is {job.state}, expected a failed or a cancelled one")
            if not job.has_checkpoint:
                raise ConflictError(f"job {job_id} has no checkpoint to resume from")
            try:
                for needed in (job.dataset_id, job.validation_dataset_id or job.dataset_id):
                    check_ready(connection, needed or "")
            except UnknownDatasetError as error:
                raise ConflictError(f"a dataset of job {job_id} was deleted") from error
            self._check_share(connection, job.owner)
            cleared = dict.fromkeys(("finished_at", "cancel_requested_at", *ERROR_COLUMNS))
            return move_locked(connection, job, State.QUEUED, attempt=0, phase="queued", **cleared)

    def delete(self, job_id: str, *, also: Callable[[], None] = lambda: None) -> None:
        """Delete a job that has ended. ``also`` is called before the transaction is committed.

        Raises:
            ConflictError: the job has not ended.
        """
        with self.database.write() as connection:
            job = get_job(connection, job_id, lock=True)
            if not job.done:
                raise ConflictError(f"job {job_id} is {job.state}: cancel it first")
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
            also()

    # For the supervisor

    def claim(self, host: str, limit: int, lease: float) -> Job | None:
        """Take a queued job under a new fence; None if ``host`` has ``limit`` jobs already.

        Owners take turns, on all hosts together: it is the oldest job of the owner who has waited longest
        since a job of theirs was claimed.
        """
        with self.database.write() as connection:
            self.database.serialise(connection)
            held = select(func.count()).where(jobs.c.state.in_(ACTIVE), jobs.c.host == host)
            if connection.execute(held).scalar_one() >= limit:
                return None
            row = connection.execute(_NEXT).one_or_none()
            if row is None:
                return None
            _take_turn(connection, row.owner)
            values = {
                "attempt": jobs.c.attempt + 1, "fence": jobs.c.fence + 1, "lease_until": now() + lease,
                "host": host, "claimed_at": now(), "started_at": func.coalesce(jobs.c.started_at, now()),
                "phase": "starting",
            }  # fmt: skip
            return move(connection, row.id, {State.QUEUED}, State.STARTING, **values)

    def expired(self) -> list[Job]:
        """Return the jobs of all hosts whose lease has run out."""
        return self._select(jobs.c.state.in_(ACTIVE), jobs.c.lease_until < now())

    def expiring(self, host: str, seconds: float) -> list[Job]:
        """Return the jobs of ``host`` whose lease runs out within ``seconds``, or has run out."""
        return self._select(
            jobs.c.state.in_(ACTIVE), jobs.c.host == host, jobs.c.lease_until < now() + seconds
        )

    def in_the_way(self, host: str, seconds: float) -> Job | None:
        """Return the job of ``host`` that trains longest, if for ``seconds`` while another owner waits."""
        other = jobs.alias()
        waits = exists().where(other.c.state == State.QUEUED, other.c.owner != jobs.c.owner)
        long = jobs.c.claimed_at < now() - seconds
        found = self._select(jobs.c.state == State.RUNNING, jobs.c.host == host, long, waits)
        return min(found, key=lambda job: job.claimed_at or 0, default=None)

    def renew(self, job: Job, lease: float) -> bool:
        """Renew the lease on behalf of the attempt with the job's fence. False if that attempt is over."""
        mine = jobs.c.id == job.id, jobs.c.fence == job.fence, jobs.c.state.in_(ACTIVE)
        statement = update(jobs).where(*mine).values(lease_until=now() + lease)
        with self.database.write() as connection:
            return connection.execute(statement).rowcount > 0

    def overdue(self, host: str, seconds: float) -> list[Job]:
        """Return the jobs of ``host`` that were cancelled ``seconds`` ago and have not stopped."""
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
        """Record that the attempt with the job's fence is dead.

        The job is queued again. It fails instead if this was its last attempt or the failure is
        ``permanent``, and is cancelled if that was requested.

        Args:
            expired: only if the lease has run out by now.
            has_checkpoint: there is a checkpoint, even if no heartbeat has reported it.

        Returns:
            The job as it is now, or None if the attempt does not hold it any more.
        """
        guards = [jobs.c.fence == job.fence, *([jobs.c.lease_until < now()] if expired else [])]
        with self.database.write() as connection:
            row = connection.execute(select(jobs).where(jobs.c.id == job.id).with_for_update()).one_or_none()
            if row is None:  # deleted in the meantime
                return None
            current = job_of(row)
            target: State = State.QUEUED
            values: Json = {"phase": "queued", "eta_seconds": None}
            if current.state is State.CANCELLING:
                target, values = State.CANCELLED, cancelled()
            elif permanent or current.attempt >= current.max_attempts:
                target, values = State.FAILED, failed(failure)
            values["has_checkpoint"] = has_checkpoint or current.has_checkpoint
            return move(connection, job.id, ACTIVE, target, *guards, **values)

    # For trainers, under their fence

    def running(self, job_id: str, fence: int, device: str) -> None:
        """Record that the training begins. A job that is being cancelled stays in that state."""
        with self.database.write() as connection:
            move(connection, job_id, ACTIVE, State.RUNNING, jobs.c.fence == fence, device=device)

    def heartbeat(self, job_id: str, fence: int, lease: float, progress: Progress) -> State:
        """Renew the lease and record the progress. Return the job's state, which may ask to stop.

        Raises:
            LeaseLostError: this attempt does not hold the job any more.
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
        """Record success, within the transaction that publishes the model.

        Raises:
            LeaseLostError: this attempt does not hold the job any more. Roll the transaction back.
        """
        values = {
            **asdict(progress), "phase": "succeeded", "finished_at": now(), "result_version": version,
            "result_sha256": sha256,
        }  # fmt: skip
        if not move(connection, job_id, ACTIVE, State.SUCCEEDED, jobs.c.fence == fence, **values):
            raise LeaseLostError(job_id, fence)

    def fail(self, job_id: str, fence: int, failure: Failure, progress: Progress) -> None:
        """Record a failure that another attempt would repeat.

        Raises:
            LeaseLostError: this attempt does not hold the job any more.
        """
        values = asdict(progress) | failed(failure)
        with self.database.write() as connection:
            if not move(connection, job_id, ACTIVE, State.FAILED, jobs.c.fence == fence, **values):
                raise LeaseLostError(job_id, fence)

    def stopped(self, job_id: str, fence: int, progress: Progress) -> Job:
        """Record that the training stopped at a checkpoint.

        The job is cancelled if that was requested. Otherwise it is queued again without using up an attempt.

        Raises:
            LeaseLostError: this attempt does not hold the job any more.
        """
        mine, reported = jobs.c.fence == fence, asdict(progress)
        queued = reported | {"phase": "queued", "eta_seconds": None, "attempt": jobs.c.attempt - 1}
        with self.database.write() as connection:
            job = move(
                connection, job_id, {State.CANCELLING}, State.CANCELLED, mine, **reported | cancelled()
            ) or move(connection, job_id, ACTIVE, State.QUEUED, mine, **queued)
        if job is None:
            raise LeaseLostError(job_id, fence)
        return job

    def _check_share(self, connection: Connection, owner: str) -> None:
        """Raise ``JobQuotaError`` if the owner may not have one more unfinished job."""
        query = select(func.count()).where(jobs.c.owner == owner, jobs.c.state.not_in(ENDED))
        JOBS.check(owner, connection.execute(query).scalar_one(), 1, self.most_jobs)

    def _select(self, *conditions: ColumnElement[bool]) -> list[Job]:
        with self.database.read() as connection:
            return [job_of(row) for row in connection.execute(select(jobs).where(*conditions))]


def _take_turn(connection: Connection, owner: str) -> None:
    """Put an owner behind all others. Turns are counted, as times may be equal and clocks go back.

    They are not read from the jobs: deleting one must not let its owner in front.
    """
    connection.execute(delete(turns).where(turns.c.owner == owner))
    last = select(func.coalesce(func.max(turns.c.turn), 0)).scalar_subquery()
    connection.execute(insert(turns).values(owner=owner, turn=last + 1))
