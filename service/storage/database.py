"""The database: SQLite in the data folder, or PostgreSQL by URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from n2n_core.errors import ConfigError
from n2n_core.files import storing

BUSY_SECONDS = 15
"""Seconds that a writer waits for another one, as SQLite allows one at a time. Less than a job's lease."""

_LOCK = 0x6E326E  # PostgreSQL's advisory lock for migrations and claims
_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {"connect_args": {"timeout": BUSY_SECONDS}},
    "postgresql": {
        # Dead connections are noticed well before a lease ends.
        "connect_args": {"connect_timeout": 5, "tcp_user_timeout": 10_000},
        "pool_pre_ping": True,
    },
}


class Database:
    """A pool of connections. Thread-safe.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``. SQLite's file must be on a local
            disk: its locks do not work over NFS.

    Raises:
        ConfigError: the URL is not one of these, or PostgreSQL's driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction for consistent reads. It does not wait for writers."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is committed after the block, or rolled back if the block raises."""
        with self.engine.connect().execution_options(n2n_write=True) as connection, connection.begin():
            yield connection

    def serialise(self, connection: Connection) -> None:
        """Exclude other transactions that call this, until this one ends. SQLite's writers always do."""
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})

    def migrate(self) -> None:
        """Create or upgrade the tables, and make SQLite's folder. Concurrent processes take turns.

        Raises:
            ConfigError: the database cannot be reached or written.
            StorageError: SQLite's folder cannot be made.
        """
        if self.is_sqlite:
            path = Path(str(self.engine.url.database))
            with storing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.set_main_option("path_separator", "os")
        try:
            with self.write() as connection:
                self.serialise(connection)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        except DBAPIError as error:  # also a file that is damaged, or no database
            raise ConfigError(f"the database {self.engine.url!r} cannot be used: {error.orig}") from error
        except CommandError as error:
            newer = "was it made by a newer version of n2n?"
            raise ConfigError(f"the database {self.engine.url!r} cannot be used: {error}; {newer}") from error

    def close(self) -> None:
        """Close the idle connections."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    expected = "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"the database is not a URL, {expected}"
        ) from error  # the URL may contain a password
    kind = parsed.get_backend_name()
    if kind not in _OPTIONS or (kind == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise ConfigError(f"the database is {parsed!r}, {expected}")
    if kind == "sqlite":
        return create_engine(parsed, **_OPTIONS[kind])
    try:
        return create_engine(parsed.set(drivername="postgresql+psycopg"), **_OPTIONS[kind])
    except ImportError as error:
        raise ConfigError("PostgreSQL needs its driver: pip install 'n2n[postgres]'") from error


def _set_up_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # _begin_sqlite begins transactions, not the driver
    _set_journal(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _set_journal(connection: Any) -> None:
    """Switch to a write-ahead log. SQLite does not wait if several connections do so at once, so retry."""
    deadline = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if monotonic() > deadline:
                raise
            sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    """Lock at once for writing: a reader that becomes a writer can fail without waiting."""
    write = connection.get_execution_options().get("n2n_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
