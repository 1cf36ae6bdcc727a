"""The database: migrations, transactions, URLs."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from n2n_core.errors import ConfigError
from service.storage.database import Database
from service.storage.schema import counters, metadata, now


def test_migrations_make_the_tables_of_the_schema(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_a_missing_column_would_be_noticed(database: Database) -> None:
    with database.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(text("ALTER TABLE jobs DROP COLUMN host"))
        context = MigrationContext.configure(connection)
        assert len(compare_metadata(context, metadata)) == 1
        transaction.rollback()


def test_several_processes_may_migrate_at_once(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path / 'n2n.db'}") for _ in range(4)]
    run_all([database.migrate for database in databases])
    with databases[0].read() as connection:
        assert connection.execute(select(counters)).all() == [("catalogue", 0)]
    for database in databases:
        database.close()


def test_a_new_file_that_another_process_opens_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "n2n.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # upon which SQLite refuses a new journal without a wait
    timer = threading.Timer(0.3, other.rollback)
    timer.start()
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()
    timer.join()
    other.close()


def test_a_block_that_raises_writes_nothing(database: Database) -> None:
    def write() -> None:
        with database.write() as connection:
            connection.execute(counters.insert().values(name="x", value=1))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        write()
    with database.read() as connection:
        assert connection.execute(select(counters).where(counters.c.name == "x")).all() == []


def test_writers_wait_for_each_other(database: Database) -> None:
    with database.write() as connection:
        connection.execute(counters.delete().where(counters.c.name == "hits"))
        connection.execute(counters.insert().values(name="hits", value=0))

    def hit() -> None:
        for _ in range(10):
            with database.write() as connection:
                database.serialise(connection)
                value = connection.execute(select(counters.c.value).where(counters.c.name == "hits"))
                changed = {"value": value.scalar_one() + 1}
                connection.execute(counters.update().where(counters.c.name == "hits").values(changed))

    run_all([hit] * 4)
    with database.write() as connection:
        query = select(counters.c.value).where(counters.c.name == "hits")
        assert connection.execute(query).scalar_one() == 40
        connection.execute(counters.delete().where(counters.c.name == "hits"))


def test_the_clock_is_in_seconds(database: Database) -> None:
    with database.read() as connection:
        first, second = (connection.execute(select(now())).scalar_one() for _ in range(2))
    assert first <= second
    assert first == pytest.approx(time.time(), abs=5)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:secret@h/n", r"mysql://u:\*\*\*@h/n, expected sqlite:///FILE"),
        ("not a url", "the database is not a URL"),
        ("sqlite://", "expected sqlite:///FILE"),
    ],
)
def test_other_databases_are_refused_without_telling_passwords(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "n2n.db").mkdir()
    with pytest.raises(ConfigError, match="cannot be used: unable to open database file"):
        Database(f"sqlite:///{tmp_path / 'n2n.db'}").migrate()


def run_all(functions: list[Callable[[], None]]) -> None:
    """Call all at once, each in a thread; raise what any of them raises."""
    errors: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_a_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.db").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(ConfigError, match="cannot be used: file is not a database"):
        Database(f"sqlite:///{tmp_path}/noise.db").migrate()
    whole = Database(f"sqlite:///{tmp_path}/whole.db")
    whole.migrate()
    whole.close()
    content = (tmp_path / "whole.db").read_bytes()
    (tmp_path / "half.db").write_bytes(content[: len(content) // 2])
    with pytest.raises(ConfigError, match="cannot be used: database disk image is malformed"):
        Database(f"sqlite:///{tmp_path}/half.db").migrate()


def test_the_tables_of_a_newer_version_are_refused(tmp_path: Path) -> None:
    newer = Database(f"sqlite:///{tmp_path}/n2n.db")
    newer.migrate()
    with newer.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"'9999'.* made by a newer version"):
        newer.migrate()
    newer.close()
