"""Calls of a background process: in turn, and ended when nobody waits for them."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from service.api import one_by_one
from service.api.one_by_one import OneByOne
from service.exceptions import DeadlineError, RefusedError
from service.processes.background import BackgroundProcess
from service.processes.child import ChildDiedError

pytestmark = pytest.mark.anyio
SECONDS = 60


class Client:
    """A client that waits, until it hangs up."""

    def __init__(self, patience: float = SECONDS) -> None:
        self.gone = asyncio.Event()
        deadline = asyncio.get_running_loop().time() + patience
        self.request = Request({"type": "http", "state": {"deadline": deadline}}, self._receive)

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


@pytest.fixture
def process() -> Iterator[BackgroundProcess]:
    process = BackgroundProcess()
    yield process
    process.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():
            await asyncio.sleep(0.005)


def sign_and_sleep(sign: Path) -> None:
    sign.touch()
    sleep(600)


async def test_results_and_errors_arrive(process: BackgroundProcess) -> None:
    calls = OneByOne(process)
    found = await asyncio.gather(
        *(calls.run(Client().request, partial(process.run, abs, -n)) for n in range(5))
    )
    assert found == [0, 1, 2, 3, 4]
    with pytest.raises(FileNotFoundError):
        await calls.run(Client().request, partial(process.run, os.stat, "nowhere"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_who_hangs_up_ends_the_call_and_the_next_one_gets_its_turn(
    process: BackgroundProcess, tmp_path: Path
) -> None:
    calls, first, second, third = OneByOne(process), Client(), Client(), Client()
    working = process.run(os.getpid)
    run = asyncio.ensure_future(
        calls.run(first.request, partial(process.run, sign_and_sleep, tmp_path / "sign"))
    )
    await until((tmp_path / "sign").exists)
    dropped = asyncio.ensure_future(calls.run(second.request, partial(process.run, sleep, 600)))
    waiting = asyncio.ensure_future(calls.run(third.request, partial(process.run, abs, -1)))
    second.gone.set()  # it has not even begun
    with pytest.raises(ClientDisconnect):
        await dropped
    first.gone.set()
    with pytest.raises(ClientDisconnect):
        await run
    assert await waiting == 1
    assert not Path(f"/proc/{working}").exists()


async def test_the_time_of_the_request_ends_the_call(process: BackgroundProcess) -> None:
    calls = OneByOne(process)
    with pytest.raises(DeadlineError):
        await calls.run(Client(0.05).request, partial(process.run, sleep, 600))
    assert await calls.run(Client().request, partial(process.run, abs, -1)) == 1


async def test_those_that_wait_take_no_thread_and_do_not_wait_for_ever(
    process: BackgroundProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, first = OneByOne(process), Client()
    run = asyncio.ensure_future(
        calls.run(first.request, partial(process.run, sign_and_sleep, tmp_path / "sign"))
    )
    await until((tmp_path / "sign").exists)
    before = threading.active_count()
    monkeypatch.setattr(one_by_one, "WAIT_SECONDS", 0.05)
    waiting = [calls.run(Client().request, partial(process.run, abs, -1)) for _ in range(50)]
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, RefusedError) and one.reason == "overloaded" for one in found)
    assert threading.active_count() <= before
    process.close()
    with pytest.raises(ChildDiedError, match="stopping"):
        await run
