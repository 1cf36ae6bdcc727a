"""The problem that each error of the core and of the system becomes."""

import errno
import sqlite3

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from n2n_core import errors as core
from service import exceptions as jobs
from service.http.errors import CORE_ERRORS, title
from service.processes.background import AbortedError
from service.processes.child import ChildDiedError
from service.processes.watchdog import ChildLateError, ChildStoppedError
from tests.service import problems
from tests.service.serving import unstarted

SERVER_FAULTS = {
    core.N2NError, core.ConfigError, core.DataError, core.ArchiveError, core.LimitError,
    core.WeightsError, core.DivergedError, core.OutOfMemoryError, jobs.LeaseLostError,
}  # fmt: skip
"""Unless the endpoint knows that its input is at fault."""

ALL = {
    kind
    for module in (core, jobs)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, core.N2NError)
}


@pytest.mark.parametrize("kind", sorted(ALL, key=str))
def test_every_core_error_has_a_status_or_is_our_fault(kind: type[core.N2NError]) -> None:
    assert (kind in CORE_ERRORS) != (kind in SERVER_FAULTS)


def test_special_cases_come_before_their_bases() -> None:
    kinds = list(CORE_ERRORS)
    for index, kind in enumerate(kinds):
        assert not any(issubclass(later, kind) for later in kinds[index + 1 :])


def test_titles_are_the_standards() -> None:
    assert [title(status) for status in (404, 413, 422, 499)] == [
        "Not Found", "Content Too Large", "Unprocessable Content", "Client Closed Request",
    ]  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/denoise", {"POST"}),
        ("/models/torch", {"GET", "HEAD", "DELETE"}),
        ("/datasets", {"GET", "HEAD", "POST"}),
        ("/healthz", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    client: httpx.AsyncClient, path: str, methods: set[str]
) -> None:
    answer = await client.put(path)
    problems.check(answer, 405, "method_not_allowed", f"PUT {path}")
    assert set(answer.headers["allow"].split(", ")) == methods


def sqlite_error(*statements: str) -> OperationalError:
    """What a database of a few pages says."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in ("CREATE TABLE t (x)", "PRAGMA max_page_count = 2", *statements):
            connection.execute(statement)
    except sqlite3.OperationalError as error:
        return OperationalError(statement, None, error)
    finally:
        connection.close()
    raise AssertionError("it has said nothing")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "status", "code", "part"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 507, "storage", "No space left on device"),
        (OSError(errno.EROFS, "Read-only file system"), 507, "storage", "Read-only file system"),
        (sqlite_error("INSERT INTO t VALUES (zeroblob(100000))"), 507, "storage", "disk is full"),
        (sqlite_error("SELECT y FROM t"), 500, "internal_error", "log"),
        (PermissionError(errno.EACCES, "Permission denied"), 500, "internal_error", "log"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_disk_that_is_full_is_no_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str, part: str
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    async with unstarted() as (client, state):
        monkeypatch.setattr(state.datasets, "page", fail)
        problems.check(await client.get("/datasets"), status, code, part)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [ChildDiedError, ChildLateError, ChildStoppedError, AbortedError])
async def test_a_process_that_ends_is_no_fault_of_the_service(
    monkeypatch: pytest.MonkeyPatch, kind: type[ChildDiedError]
) -> None:
    def fail(*arguments: object) -> None:
        raise kind("the process of device cpu ended")

    async with unstarted() as (client, state):
        monkeypatch.setattr(state.datasets, "page", fail)
        answer = await client.get("/datasets")
        problems.check(answer, 503, "unavailable", "the process of device cpu ended")
        assert answer.headers["retry-after"] == "5"
