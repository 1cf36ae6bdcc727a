"""The protocol between a process and its children, on a child that runs any function."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest

from service.processes.child import Child, ChildDiedError, Line
from tests.service.processes.any_function import Unloadable, descriptors, run_out_of_memory, throw

pytestmark = pytest.mark.anyio
SECONDS = 60
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def start() -> Child:
    return Child("tests.service.processes.any_function", name="the child")


@pytest.fixture
def child() -> Iterator[Child]:
    child = start()
    yield child
    child.end()


async def answer(line: Line, way: str, *request: Any) -> Any:
    """Of one request, whichever way it is sent."""
    if way == "ask":
        return line.ask(*request)
    return await asyncio.wait_for(line.call(*request), SECONDS)


@pytest.mark.parametrize("way", ["ask", "call"])
async def test_errors_of_the_work_are_not_taken_for_the_childs_end(child: Child, way: str) -> None:
    (line,) = child.lines
    with pytest.raises(FileNotFoundError, match="nowhere"):
        await answer(line, way, os.stat, "nowhere")
    with pytest.raises(ValueError, match="no number"):
        await answer(line, way, len, Unloadable())
    with pytest.raises(EOFError, match=r"^the work's own"):
        await answer(line, way, throw, EOFError("the work's own"))
    assert await answer(line, way, os.getpid) == child.process.pid


async def test_torchs_errors_come_in_words_which_need_no_torch(child: Child) -> None:
    with pytest.raises(RuntimeError, match=r"^OutOfMemoryError: no memory on the GPU") as caught:
        child.lines[0].ask(run_out_of_memory)
    assert type(caught.value) is RuntimeError
    assert "in run_out_of_memory" in caught.value.__notes__[0]


@pytest.mark.parametrize("way", ["ask", "call"])
async def test_a_child_that_dies_at_work_is_an_error(child: Child, way: str) -> None:
    for _ in range(2):  # at work, and when it is gone
        with pytest.raises(ChildDiedError, match=r"^the child ended$"):
            await answer(child.lines[0], way, os._exit, 3)


async def test_a_child_that_dies_idle_is_noticed_by_the_next_call(child: Child) -> None:
    await answer(child.lines[0], "call", abs, 1)
    os.kill(child.process.pid, signal.SIGKILL)
    child.process.wait()
    with pytest.raises(ChildDiedError):
        await answer(child.lines[0], "call", abs, 1)


async def test_to_end_it_fails_what_is_under_way(child: Child) -> None:
    call = asyncio.ensure_future(answer(child.lines[0], "call", sleep, 600))
    await asyncio.sleep(0)
    child.end()
    assert child.process.returncode == -signal.SIGKILL
    with pytest.raises(ChildDiedError):
        await call


@linux
async def test_no_descriptor_and_no_zombie_is_left() -> None:
    gc.collect()
    before, processes = len(descriptors()), []
    for _ in range(3):
        child = start()
        await answer(child.lines[0], "call", abs, 1)
        processes.append(child.process.pid)
        del child  # which ends it
        gc.collect()
        while len(descriptors()) > before:  # until the event loop has noticed
            await asyncio.sleep(0.01)
    assert not any(Path(f"/proc/{process}").exists() for process in processes)


@linux
def test_a_child_has_its_own_line_alone(child: Child) -> None:
    other = start()
    sockets = [name for name in other.lines[0].ask(descriptors) if name.startswith("socket:")]
    assert len(sockets) == 1
    other.end()
