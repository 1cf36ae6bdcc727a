"""The table of datasets. ``dataset_import`` makes their files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from service.exceptions import ConflictError, UnknownDatasetError
from service.storage.database import Database
from service.storage.ids import uuid7
from service.storage.job_states import ENDED
from service.storage.schema import datasets, jobs, now
from service.storage.shares import DATASET_BYTES

STATES = ("receiving", "checking", "ready", "refused")
"""Jobs can train on datasets that are ready."""

Json = dict[str, Any]


@dataclass(frozen=True)
class DatasetRecord:
    """A row of ``datasets``; ``report`` is the report of the checks before training."""

    id: str
    name: str
    kind: str
    state: str
    created_at: float
    updated_at: float
    bytes: int
    counts: Json
    manifest: Json
    report: Json
    owner: str


class DatasetStore:
    """Creates, reads, updates and deletes rows of datasets. Thread-safe.

    Args:
        most_bytes: bytes that the datasets of one owner may have together; None for no limit.
    """

    def __init__(self, database: Database, most_bytes: int | None = None) -> None:
        self.database, self.most_bytes = database, most_bytes

    def create(
        self,
        name: str,
        kind: str,
        *,
        dataset_id: str | None = None,
        owner: str = "",
        bytes: int = 0,
        **values: Any,
    ) -> DatasetRecord:
        """Create a dataset, or return the one that has this id.

        Args:
            values: other columns; by default the dataset is in the state ``receiving``.

        Raises:
            StorageQuotaError: its owner would have too many bytes.
        """
        dataset_id = dataset_id or uuid7()
        row = {
            "id": dataset_id, "name": name, "kind": kind, "state": "receiving", "bytes": bytes,
            "created_at": now(), "updated_at": now(), "counts": {}, "manifest": {}, "report": {},
            "owner": owner,
        } | values  # fmt: skip
        with self.database.write() as connection:
            self.database.serialise(connection)  # of two at once, the second one counts the first
            known = select(datasets.c.id).where(datasets.c.id == dataset_id)
            if connection.execute(known).one_or_none() is None:
                DATASET_BYTES.check(owner, _bytes(connection, owner), bytes, self.most_bytes)
                connection.execute(insert(datasets).values(row))
            return _get(connection, dataset_id)

    def get(self, dataset_id: str) -> DatasetRecord:
        """Return the dataset with this id, or raise ``UnknownDatasetError``."""
        with self.database.read() as connection:
            return _get(connection, dataset_id)

    def page(self, size: int = 50, after: str | None = None) -> tuple[list[DatasetRecord], str | None]:
        """Return a page of datasets, newest first, and ``after`` for the next page (None on the last)."""
        query = select(datasets).order_by(datasets.c.id.desc()).limit(size + 1)
        if after is not None:
            query = query.where(datasets.c.id < after)
        with self.database.read() as connection:
            found = [DatasetRecord(**row._mapping) for row in connection.execute(query)]
        return found[:size], found[size - 1].id if len(found) > size else None

    def update(self, dataset_id: str, *, expected: Sequence[str] = STATES, **values: Any) -> DatasetRecord:
        """Update columns of a dataset; ``ConflictError`` if its state is none of ``expected``."""
        mine = datasets.c.id == dataset_id, datasets.c.state.in_(expected)
        with self.database.write() as connection:
            changed = update(datasets).where(*mine).values(updated_at=now(), **values)
            done = connection.execute(changed).rowcount
            dataset = _get(connection, dataset_id)
            if not done:
                wanted = " or ".join(expected)
                raise ConflictError(f"dataset {dataset_id} is {dataset.state}, expected {wanted}")
            return dataset

    def bytes_of(self, owner: str) -> int:
        """Return the bytes of all datasets of an owner."""
        with self.database.read() as connection:
            return _bytes(connection, owner)

    def in_use(self, dataset_id: str) -> bool:
        """Return whether an unfinished job uses the dataset."""
        with self.database.read() as connection:
            return _users(connection, dataset_id) > 0

    def delete(self, dataset_id: str) -> None:
        """Delete the row of a dataset, but not its files; ``ConflictError`` if an unfinished job uses it."""
        with self.database.write() as connection:
            _get(connection, dataset_id, lock=True)
            if users := _users(connection, dataset_id):
                raise ConflictError(f"dataset {dataset_id} is used by {users} unfinished job(s)")
            connection.execute(delete(datasets).where(datasets.c.id == dataset_id))


def _get(connection: Connection, dataset_id: str, lock: bool = False) -> DatasetRecord:
    query = select(datasets).where(datasets.c.id == dataset_id)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownDatasetError(dataset_id)
    return DatasetRecord(**row._mapping)


def _bytes(connection: Connection, owner: str) -> int:
    query = select(func.coalesce(func.sum(datasets.c.bytes), 0)).where(datasets.c.owner == owner)
    return int(connection.execute(query).scalar_one())  # PostgreSQL adds up to a Decimal


def _users(connection: Connection, dataset_id: str) -> int:
    uses = (jobs.c.dataset_id == dataset_id) | (jobs.c.validation_dataset_id == dataset_id)
    return connection.execute(select(func.count()).where(uses, jobs.c.state.not_in(ENDED))).scalar_one()
