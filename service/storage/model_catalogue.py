"""The models that there are: names, their numbered versions, and the one of them that is served.

A version is a row and a file named by its hash. The file is on the disk, synced, before the row is
committed; so whatever the rows name is there.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

import n2n_core
from n2n_core.errors import UnknownModelError, WeightsError
from n2n_core.models import weights
from n2n_core.models.names import check_name
from service.exceptions import ConflictError
from service.storage.data_folder import DataFolder
from service.storage.database import Database
from service.storage.job_states import ENDED
from service.storage.model_check import Check, Kept, can_serve, commit, keep
from service.storage.schema import counters, jobs, models, now, versions

Source = Literal["shipped", "trained", "uploaded"]
Json = dict[str, Any]
T = TypeVar("T")
TRIES = 5
"""To keep a file that others delete."""

_COUNTER = counters.c.name == "catalogue"


class DeletedMeanwhileError(WeightsError):
    """A file that was there is not any more: the last version that had the same went."""


@dataclass(frozen=True)
class Version:
    """A version of a model; ``promoted`` is what its bare name stands for."""

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
        """What requests call it: its bare name while it is promoted, else ``name@2``."""
        return self.name if self.promoted else f"{self.name}@{self.version}"


class ModelCatalogue:
    """All that is done to models. Thread-safe.

    Args:
        database: has the rows.
        folder: has the files.
        check: of a file that comes in; ours takes torch.
    """

    def __init__(self, database: Database, folder: DataFolder, check: Check = can_serve) -> None:
        self.database, self.folder, self.check = database, folder, check

    def path(self, version: Version) -> Path:
        """The version's file."""
        return self.folder.weights(version.sha256)

    def stamp(self) -> int:
        """A number that grows with every change of what is served; one look-up by key."""
        with self.database.read() as connection:
            return connection.execute(select(counters.c.value).where(_COUNTER)).scalar_one_or_none() or 0

    def list_served(self) -> list[Version]:
        """The promoted version of each model, by name."""
        with self.database.read() as connection:
            return list(_select(connection, versions.c.version == models.c.promoted))

    def list_versions(self, name: str) -> list[Version]:
        """All versions of a model, the newest first, or ``UnknownModelError``."""
        with self.database.read() as connection:
            found = list(_select(connection, versions.c.name == name))
            if not found:
                raise _unknown(connection, name)
        return found[::-1]

    def resolve(self, reference: str) -> Version:
        """``name`` is its promoted version, ``name@2`` its second one; else ``UnknownModelError``."""
        with self.database.read() as connection:
            return _resolve(connection, reference)

    def upload(self, source: Path, name: str, task: str = "", *, promote: bool = True) -> Version:
        """A new version of model ``name`` from a file that a user sent.

        Raises:
            WeightsError: the file is no model that can be served.
            ConfigError: the name is not one.
        """
        check_name(name)
        return self._enter(
            source,
            lambda connection, kept: add_version(
                connection, name, kept, "uploaded", task, {}, promote=promote
            ),
        )

    def follow(self, folder: Path) -> None:
        """Enter the models of a weights folder with its index: each new file is a new version, which
        is promoted if the one before it in that folder is, or there is none."""
        for entry in weights.read_index(folder).values():
            weights.verify(entry)
            self._enter(entry.path, partial(_follow, entry))

    def _enter(self, source: Path, act: Callable[[Connection, Kept], T]) -> T:
        """``act`` within a transaction on the file, which is kept; anew, if it was deleted in between
        with another version of the same content."""
        for _ in range(TRIES - 1):
            with suppress(DeletedMeanwhileError):
                return self._enter_once(source, act)
        return self._enter_once(source, act)

    def _enter_once(self, source: Path, act: Callable[[Connection, Kept], T]) -> T:
        kept = keep(source, self.folder, self.check)
        with self.database.write() as connection:
            return act(connection, kept)

    def promote(self, reference: str) -> Version:
        """Let the bare name stand for the version ``name@2``."""
        with self.database.write() as connection:
            hold(connection)
            return _promote(connection, _resolve(connection, reference))

    def roll_back(self, name: str) -> Version:
        """Promote the version that was promoted before; doing it twice undoes it.

        Raises:
            ConflictError: there is none, or it was deleted.
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
        """Delete one version, ``name@2``, or by its bare name a model with all of them.

        Raises:
            ConflictError: it is shipped, or in use by a job that has not ended, or promoted while
                there are others.
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
        with self.database.write() as connection:  # once the rows are gone for certain
            hold(connection)
            hashes = {version.sha256 for version in doomed}
            used = select(versions.c.sha256).where(versions.c.sha256.in_(hashes))
            for sha256 in hashes - set(connection.execute(used).scalars()):
                self.folder.weights(sha256).unlink(missing_ok=True)


def _follow(entry: weights.Entry, connection: Connection, kept: Kept) -> None:
    """Enter a shipped model, unless it is the newest version that was shipped."""
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
    """Within a transaction: the next version of ``name``. The first one is always promoted.

    An empty ``task`` is that of the promoted version.
    """
    hold(connection)
    if not kept.path.exists():  # from here on nobody deletes it
        raise DeletedMeanwhileError(
            f"{kept.path.name}: was deleted meanwhile, with another version: try again"
        )
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
    """Change the stamp. It holds the counter's row, so one transaction at a time is past this point."""
    counted = update(counters).where(_COUNTER).values(value=counters.c.value + 1)
    connection.execute(counted)


def _promote(connection: Connection, version: Version) -> Version:
    changed = {"promoted": version.version, "previous": models.c.promoted, "updated_at": now()}
    other = models.c.name == version.name, models.c.promoted != version.version
    connection.execute(update(models).where(*other).values(changed))
    return _resolve(connection, f"{version.name}@{version.version}")


def _delete_one(connection: Connection, version: Version) -> None:
    if version.promoted:
        raise ConflictError(f"{version.name}@{version.version} is promoted: promote another one first")
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
        raise ConflictError(f"{what} is what {count} job(s) that have not ended start from")


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
    """Versions by name and number."""
    promoted = (versions.c.version == models.c.promoted).label("promoted")  # a Boolean on every database
    query = select(versions, promoted).join(models).where(*conditions)
    for row in connection.execute(query.order_by(versions.c.name, versions.c.version)):
        yield Version(**row._mapping)
