"""Children that are stopped or late are killed, and the caller is told."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from time import sleep
from typing import Any

import pytest

from service.processes import watchdog
from service.processes.background import AbortedError, BackgroundProcess
from service.processes.child import Child, ChildDiedError
from service.processes.watchdog import ChildLateError, ChildStoppedError, watched, watched_line

pytestmark = pytest.mark.anyio
SECONDS = 60
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child("tests.service.processes.any_function", name="the child")
    yield child
    child.end()


async def answer(child: Child, way: str, seconds: float | None, *request: Any) -> Any:
    """Of one request, whichever way it is watched."""
    (line,) = child.lines
    if way == "ask":
        with watched(child, seconds):
            return line.ask(*request)
    with watched_line(child, line, seconds):
        return await asyncio.wait_for(line.call(*request), SECONDS)


@linux
@pytest.mark.parametrize("way", ["ask", "call"])
async def test_one_that_is_stopped_is_killed(child: Child, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.02)
    assert await answer(child, way, None, abs, -1) == 1
    os.kill(child.process.pid, signal.SIGSTOP)
    with pytest.raises(ChildStoppedError, match=r"^the child ended: it was stopped, and therefore killed$"):
        await answer(child, way, None, abs, -1)
    assert child.process.wait(SECONDS) == -signal.SIGKILL


@pytest.mark.parametrize("way", ["ask", "call"])
async def test_one_that_takes_too_long_is_killed(child: Child, way: str) -> None:
    with pytest.raises(ChildLateError, match=r"^the child ended: it was killed after 0\.05 s$"):
        await answer(child, way, 0.05, sleep, 600)


@pytest.mark.parametrize("way", ["ask", "call"])
async def test_one_that_dies_by_itself_is_not_called_late(child: Child, way: str) -> None:
    with pytest.raises(ChildDiedError) as caught:
        await answer(child, way, 30, os._exit, 3)
    assert type(caught.value) is ChildDiedError


async def test_a_busy_event_loop_is_not_the_childs_fault(child: Child) -> None:
    (line,) = child.lines
    await line.call(abs, -1)
    with watched_line(child, line, 0.2):
        call = asyncio.ensure_future(line.call(abs, -2))
        await asyncio.sleep(0)
        sleep(0.3)  # the reply is there long before the loop looks
        assert await call == 2
    assert child.process.poll() is None


@linux
def test_a_background_process_that_is_stopped_fails_its_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.02)
    background = BackgroundProcess()
    process = background.run(os.getpid)
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(ChildStoppedError, match="stopped, and therefore killed while it ran abs"):
        background.run(abs, -1)
    assert background.run(os.getpid) != process
    background.seconds = 0.05
    with pytest.raises(ChildLateError, match=r"killed after 0\.05 s while it ran sleep"):
        background.run(sleep, 600)
    background.close()


def test_an_aborted_call_says_so_until_it_is_resumed() -> None:
    background = BackgroundProcess()
    background.abort()
    with pytest.raises(AbortedError, match="nobody waits"):
        background.run(abs, -1)
    background.resume()
    assert background.run(abs, -1) == 1
    background.close()
