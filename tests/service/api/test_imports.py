"""Imports run side by side in processes that are killed when nobody waits for them or they take too long."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from service.access.keys import ApiKeys
from service.api.dependencies import State
from service.storage import dataset_import
from service.storage.data_folder import DataFolder
from tests.service import problems
from tests.service.api import slow_imports
from tests.service.api.test_datasets import noisy, pairs, send
from tests.service.processes.test_fair_pool import SECONDS, begun, is_alive
from tests.service.serving import unstarted

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_import, "read", slow_imports.read)


@asynccontextmanager
async def importing(**settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, State]]:
    """The app with processes for imports, which are ended."""
    async with unstarted(quick=False, **settings) as (client, state):
        yield client, state
        state.imports.close()


def workspaces(folder: DataFolder) -> list[Path]:
    return list(folder.datasets.glob(".*"))


async def test_a_slow_import_delays_nobody_else(tmp_path: Path) -> None:
    async with importing() as (client, state):
        keys = [ApiKeys(state.jobs.database).add(name, ["train"]) for name in ("slow", "quick")]
        slow, quick = [{"authorization": f"Bearer {key}"} for key in keys]

        async def hang(file: Path) -> httpx.Response:
            form = {"kind": "single", "name": f"hang {file}"}
            picture = [("file", ("a.png", noisy(1)))]
            return await client.post("/datasets", data=form, files=picture, headers=slow)

        files = [tmp_path / str(number) for number in range(2)]
        hanging = [asyncio.create_task(hang(files[0]))]
        process = await begun(files[0])
        hanging.append(asyncio.create_task(hang(files[1])))
        form, archive = {"kind": "pairs", "name": "mine"}, [("file", ("a.zip", pairs()))]
        async with asyncio.timeout(SECONDS):
            made = await client.post("/datasets", data=form, files=archive, headers=quick)
        assert made.status_code == 201, made.text
        assert not files[1].exists()
        hanging[0].cancel()
        await asyncio.gather(hanging[0], return_exceptions=True)
        assert not is_alive(process)
        await begun(files[1])
        state.imports.close()  # as at the end of the grace
        problems.check(await hanging[1], 503, "stopping")
        assert not workspaces(state.folder)


async def _run(work: Awaitable[Any]) -> None:
    await work


async def test_a_client_that_hangs_up_ends_its_import(tmp_path: Path) -> None:
    request = httpx.Request(
        "POST",
        "http://n2n/datasets",
        data={"kind": "single", "name": f"hang {tmp_path / 'process'}"},
        files=[("file", ("a.png", noisy(1)))],
    )
    body, gone, sent = [request.read()], asyncio.Event(), list[int]()

    async def receive() -> Message:
        if body:
            return {"type": "http.request", "body": body.pop(), "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send_nothing(message: Message) -> None:
        sent.append(message.get("status", 0))

    async with importing() as (client, state):
        transport = client._transport
        assert isinstance(transport, httpx.ASGITransport)
        scope = {
            "type": "http", "method": "POST", "path": "/datasets", "raw_path": b"/datasets",
            "query_string": b"", "headers": request.headers.raw, "scheme": "http", "server": ("n2n", 80),
            "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        asking = asyncio.ensure_future(
            _run(transport.app(scope | {"headers": headers}, receive, send_nothing))
        )
        process = await begun(tmp_path / "process")
        assert workspaces(state.folder)
        gone.set()
        async with asyncio.timeout(SECONDS):
            await asking
        assert not is_alive(process)
        assert not workspaces(state.folder)
        assert sent[0] == 499  # for the log alone


async def test_an_import_ends_after_its_time(tmp_path: Path) -> None:
    async with importing(import_timeout=3) as (client, state):
        answer = await send(client, ("a.png", noisy(1)), kind="single", name=f"hang {tmp_path / 'process'}")
        problems.check(answer, 422, "bad_dataset", "shots/bad.png", "3 seconds (N2N_IMPORT_TIMEOUT)")
        assert not is_alive(await begun(tmp_path / "process"))
        assert not workspaces(state.folder)


async def test_a_picture_that_takes_too_much_cpu_time_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_import, "PICTURE_SECONDS", 0.1)
    async with importing() as (client, state):
        answer = await send(client, ("a.png", noisy(1)), kind="single", name=f"spin {tmp_path / 'process'}")
        problems.check(answer, 422, "bad_dataset", "shots/bad.png: ", "0.1 seconds of CPU time")
        assert not workspaces(state.folder)
        monkeypatch.setattr(dataset_import, "PICTURE_SECONDS", 60)
        answer = await send(client, ("a.png", noisy(1)), kind="single", name=f"die {tmp_path / 'process'}")
        problems.check(answer, 422, "bad_dataset", "shots/bad.png: ", "SIGABRT")
