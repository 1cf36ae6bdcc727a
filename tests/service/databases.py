"""Both real databases, and a dataset of pairs that is learnt in seconds."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.jobs.store import JobStore
from service.storage.data_folder import DataFolder
from service.storage.database import Database
from service.storage.dataset_store import DatasetStore
from service.storage.schema import counters, metadata

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
PATH = os.pathsep.join([*map(str, reversed(BINARIES)), os.environ.get("PATH", "")])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A throw-away cluster on a Unix socket; its URL."""
    found = {name: shutil.which(name, path=PATH) for name in ("initdb", "pg_ctl")}
    if None in found.values():
        pytest.skip("PostgreSQL's server is not installed")
    user = 65534 if os.geteuid() == 0 else None  # it refuses to run as root

    def do(name: str, *arguments: str) -> None:
        command = [str(found[name]), *arguments]
        subprocess.run(command, user=user, cwd="/", check=True, stdout=subprocess.DEVNULL)

    with tempfile.TemporaryDirectory(prefix="n2n-pg-") as name:
        folder, data = Path(name), f"{name}/data"
        if user:
            os.chown(folder, user, -1)
        do("initdb", "-D", data, "-U", "n2n", "--auth=trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses='' -c fsync=off -k {folder}"
        do("pg_ctl", "-D", data, "-w", "-l", f"{name}/log", "-o", options, "start")
        try:
            yield f"postgresql://n2n@/postgres?host={folder}"
        finally:
            do("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated database of each kind."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'n2n.db'}")
    else:
        database = Database(request.getfixturevalue("postgresql"))
    database.migrate()
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not counters:
                connection.execute(table.delete())
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> JobStore:
    return JobStore(database)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.make()
    return folder


@pytest.fixture
def dataset(database: Database) -> str:
    """A dataset that is ready, as far as its row tells."""
    datasets = DatasetStore(database)
    created = datasets.create("stars", "pairs")
    return datasets.update(created.id, state="ready").id
