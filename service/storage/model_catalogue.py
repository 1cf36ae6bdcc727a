"""Catalogue of models: names, numbered versions, and the promoted version that is served.

A version is a row, and a file named by its hash. The file is synced to disk before the row is committed, so
every file that a row names exists.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, Connection, Text, case, cast, delete, func, insert, select, update

import n2n_core
from n2n_core.errors import UnknownModelError, WeightsError
from n2n_core.models import weights
from n2n_core.models.names import check_name
from n2n_core.models.weights import Card
from service.exceptions import ConflictError
from service.processes.child import ChildDiedError
from service.storage.data_folder import DataFolder
from service.storage.database import Database
from service.storage.job_states import ENDED
from service.storage.model_check import Check, Kept, can_serve, commit, keep
from service.storage.model_limits import MAX_CARD_BYTES
from service.storage.schema import counters, jobs, models, now, versions

Source = Literal["shipped", "trained", "uploaded"]
Json = dict[str, Any]
T = TypeVar("T")
log = logging.getLogger("n2n.service")

TRIES = 5
"""Attempts to store a file that is deleted in the meantime."""

TOO_LONG = asdict(Card({}, licence="the description of this model is too long to be listed"))
"""Takes the place of a card that was stored when there was no limit."""

_COUNTER = counters.c.name == "catalogue"


class DeletedMeanwhileError(WeightsError):
    """A file has disappeared, because the last version with the same content was deleted."""


@dataclass(frozen=True)
class Version:
    """A version of a model. The bare name of the model stands for its ``promoted`` version."""

    name: str
    version: int
    sha256: str
    bytes: int
    task: str
    source: Source
    card: Json
    metrics: Json
    lineage: Json
    created_at: float
    promoted: bool

    @property
    def id(self) -> str:
        """Id in requests: the bare name if promoted, otherwise ``name@2``."""
        return self.name if self.promoted else f"{self.name}@{self.version}"


class ModelCatalogue:
    """Adds, promotes and deletes versions of models. Thread-safe.

    Args:
        database: stores the rows.
        folder: stores the files.
        check: checks a new file; the default needs torch.
    """

    def __init__(self, database: Database, folder: DataFolder, check: Check = can_serve) -> None:
        self.database, self.folder, self.check = database, folder, check

    def path(self, version: Version) -> Path:
        """Return the weights file of a version."""
        return self.folder.weights(version.sha256)

    def stamp(self) -> int:
        """Return a number that grows with every change of the catalogue. Cheap: one look-up by key."""
        with self.database.read() as connection:
            return connection.execute(select(counters.c.value).where(_COUNTER)).scalar_one_or_none() or 0

    def list_served(self) -> list[Version]:
        """Return the promoted version of each model, sorted by name."""
        with self.database.read() as connection:
            return list(_select(connection, versions.c.version == models.c.promoted))

    def list_versions(self, name: str) -> list[Version]:
        """Return all versions of a model, newest first, or raise ``UnknownModelError``."""
        with self.database.read() as connection:
            found = list(_select(connection, versions.c.name == name))
            if not found:
                raise _unknown(connection, name)
        return found[::-1]

    def resolve(self, reference: str) -> Version:
        """Return version 2 for ``name@2``, the promoted one for ``name``, or raise ``UnknownModelError``."""
        with self.database.read() as connection:
            return _resolve(connection, reference)

    def upload(self, source: Path, name: str, task: str = "", *, promote: bool = True) -> Version:
        """Add a version of model ``name`` from an uploaded file.

        Raises:
            WeightsError: the file cannot be served.
            ConfigError: the name is reserved or not valid.
        """
        check_name(name)
        return self._enter(
            source,
            lambda connection, kept: add_version(
                connection, name, kept, "uploaded", task, {}, promote=promote
            ),
        )

    def follow(self, folder: Path) -> None:
        """Add the models of a weights folder. Each new file becomes a new version, which is promoted if the
        previous version from the folder is, or if the model is new. A file that cannot be served is left out.
        """
        for entry in weights.read_index(folder).values():
            try:
                weights.verify(entry)
                self._enter(entry.path, partial(_follow, entry))
            except (WeightsError, ChildDiedError) as error:
                log.error("model %r of %s is not added: %s", entry.id, folder, error)

    def restore(self, entry: weights.Entry) -> None:
        """Store the file of a weights folder again, if its copy in the data folder is damaged.

        Raises:
            WeightsError: the file is damaged, too, or cannot be served.
        """
        weights.verify(entry)
        keep(entry.path, self.folder, self.check)

    def intact(self, version: Version) -> bytes:
        """Return the content of a version's weights file.

        Raises:
            WeightsError: the file is missing or damaged.
        """
        return weights.contents(self.path(version), version.sha256)

    def _enter(self, source: Path, act: Callable[[Connection, Kept], T]) -> T:
        """Store the file and call ``act`` in a transaction; try again if the file is deleted in between,
        together with another version of the same content."""
        for _ in range(TRIES - 1):
            with suppress(DeletedMeanwhileError):
                return self._enter_once(source, act)
        return self._enter_once(source, act)

    def _enter_once(self, source: Path, act: Callable[[Connection, Kept], T]) -> T:
        kept = keep(source, self.folder, self.check)
        with self.database.write() as connection:
            return act(connection, kept)

    def promote(self, reference: str) -> Version:
        """Make ``name@2`` the version that the bare name stands for."""
        with self.database.write() as connection:
            hold(connection)
            return _promote(connection, _resolve(connection, reference))

    def roll_back(self, name: str) -> Version:
        """Promote the previously promoted version again. Calling it twice restores the first state.

        Raises:
            ConflictError: there is no such version, or it was deleted.
        """
        with self.database.write() as connection:
            hold(connection)
            current = _resolve(connection, name)
            previous = select(models.c.previous).where(models.c.name == current.name)
            number = connection.execute(previous).scalar_one()
            if number is None:
                raise ConflictError(f"model {current.name!r} has no version to roll back to")
            return _promote(connection, _resolve(connection, f"{current.name}@{number}"))

    def delete(self, reference: str) -> None:
        """Delete one version, ``name@2``, or by its bare name a model with all its versions.

        Raises:
            ConflictError: a version is shipped, used by an unfinished job, or promoted but not the only one.
        """
        with self.database.write() as connection:
            hold(connection)
            one = _resolve(connection, reference)
            whole = "@" not in reference
            every = list(_select(connection, versions.c.name == one.name))
            doomed = every if whole else [one]
            for version in doomed:
                _check_deletable(connection, version)
            if len(doomed) == len(every):
                connection.execute(delete(versions).where(versions.c.name == one.name))
                connection.execute(delete(models).where(models.c.name == one.name))
            else:
                _delete_one(connection, one)
        with self.database.write() as connection:  # only after the rows are deleted for certain
            hold(connection)
            hashes = {version.sha256 for version in doomed}
            used = select(versions.c.sha256).where(versions.c.sha256.in_(hashes))
            for sha256 in hashes - set(connection.execute(used).scalars()):
                self.folder.weights(sha256).unlink(missing_ok=True)


def _follow(entry: weights.Entry, connection: Connection, kept: Kept) -> None:
    """Add a shipped model, unless it is already the newest shipped version."""
    hold(connection)
    own = list(_select(connection, versions.c.name == entry.id, versions.c.source == "shipped"))
    if own and own[-1].sha256 == kept.sha256:
        return
    known = list(_select(connection, versions.c.name == entry.id))
    promote = not known or bool(own and own[-1].promoted)
    add_version(connection, entry.id, kept, "shipped", entry.task, {}, promote=promote)


def add_version(
    connection: Connection,
    name: str,
    kept: Kept,
    source: Source,
    task: str,
    lineage: Json,
    *,
    promote: bool = True,
) -> Version:
    """Add the next version of ``name`` within a transaction. The first version is always promoted.

    If ``task`` is empty, the promoted version's task is used.
    """
    hold(connection)
    if not kept.path.exists():  # while the transaction holds the counter, nobody deletes it
        raise DeletedMeanwhileError(f"{kept.path.name}: was deleted together with another version: try again")
    row = connection.execute(select(models).where(models.c.name == name)).one_or_none()
    number = 1 if row is None else row.newest + 1
    if row is None:
        first = {"name": name, "newest": 1, "promoted": 1, "created_at": now(), "updated_at": now()}
        connection.execute(insert(models).values(first))
    else:
        connection.execute(update(models).where(models.c.name == name).values(newest=number))
        task = task or _resolve(connection, name).task
    values = {
        "name": name, "version": number, "sha256": kept.sha256, "bytes": kept.bytes, "task": task,
        "source": source, "card": asdict(kept.card), "metrics": kept.card.metrics,
        "lineage": lineage | {"n2n": n2n_core.__version__, "commit": commit()}, "created_at": now(),
    }  # fmt: skip
    connection.execute(insert(versions).values(values))
    version = _resolve(connection, f"{name}@{number}")
    return _promote(connection, version) if promote else version


def hold(connection: Connection) -> None:
    """Increment the stamp. This locks its row, so only one transaction at a time gets past this point."""
    counted = update(counters).where(_COUNTER).values(value=counters.c.value + 1)
    connection.execute(counted)


def _promote(connection: Connection, version: Version) -> Version:
    changed = {"promoted": version.version, "previous": models.c.promoted, "updated_at": now()}
    other = models.c.name == version.name, models.c.promoted != version.version
    connection.execute(update(models).where(*other).values(changed))
    return _resolve(connection, f"{version.name}@{version.version}")


def _delete_one(connection: Connection, version: Version) -> None:
    if version.promoted:
        raise ConflictError(f"{version.name}@{version.version} is promoted: promote another version first")
    same = versions.c.name == version.name, versions.c.version == version.version
    connection.execute(delete(versions).where(*same))
    before = models.c.name == version.name, models.c.previous == version.version
    connection.execute(update(models).where(*before).values(previous=None))


def _check_deletable(connection: Connection, version: Version) -> None:
    what = f"{version.name}@{version.version}"
    if version.source == "shipped":
        raise ConflictError(f"{what} is shipped with the service, it cannot be deleted")
    using = jobs.c.base_sha256 == version.sha256, jobs.c.state.not_in(ENDED)
    if count := connection.execute(select(func.count()).where(*using)).scalar_one():
        raise ConflictError(f"{what} is the base of {count} unfinished job(s)")


def _resolve(connection: Connection, reference: str) -> Version:
    name, at, number = reference.partition("@")
    if at and not (number.isdecimal() and number.isascii() and len(number) < 10):
        raise _unknown(connection, reference)
    which = versions.c.version == (int(number) if at else models.c.promoted)
    found = list(_select(connection, versions.c.name == name, which))
    if not found:
        raise _unknown(connection, reference)
    return found[0]


def _unknown(connection: Connection, reference: str) -> UnknownModelError:
    return UnknownModelError(reference, connection.execute(select(models.c.name)).scalars())


def _select(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Version]:
    """Yield versions, sorted by name and number. A card beyond the limit is not read from the database."""
    promoted = (versions.c.version == models.c.promoted).label("promoted")  # a Boolean on every database
    fits = func.length(cast(versions.c.card, Text)) <= MAX_CARD_BYTES
    described = [column for column in versions.c if column.name in ("card", "metrics")]
    others = [column for column in versions.c if column not in described]
    short = [case((fits, column)).label(column.name) for column in described]
    query = select(*others, *short, promoted).select_from(versions).join(models).where(*conditions)
    for row in connection.execute(query.order_by(versions.c.name, versions.c.version)):
        values = dict(row._mapping)
        if values["card"] is None:
            values |= {"card": TOO_LONG, "metrics": {}}
        yield Version(**values)
