"""The fair pool: real processes, of which those that nobody waits for are killed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.processes.background import BackgroundProcess
from service.processes.child import ChildDiedError
from service.processes.fair_pool import FairPool
from tests.service.processes.slow import hang

pytestmark = pytest.mark.anyio

SECONDS = 60


@pytest.fixture
async def pool() -> AsyncIterator[FairPool]:
    pool = FairPool(2, BackgroundProcess)
    yield pool
    pool.close()


async def begun(file: Path) -> int:
    """The id of the process, once it has begun."""
    async with asyncio.timeout(SECONDS):
        while not file.exists():
            await asyncio.sleep(0.01)
    return int(file.read_text())


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_slow_work_of_one_owner_leaves_room_and_ends_when_nobody_waits(
    pool: FairPool, tmp_path: Path
) -> None:
    files = [tmp_path / str(number) for number in range(3)]
    slow = [asyncio.create_task(pool.run("a", SECONDS, hang, file)) for file in files]
    process = await begun(files[0])
    assert await pool.run("b", SECONDS, abs, -1) == 1
    assert not files[1].exists()
    slow[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow[0]
    assert not is_alive(process)
    second = await begun(files[1])
    pool.close()
    with pytest.raises(ChildDiedError, match="stopping") as caught:
        await slow[1]
    assert caught.value.status is None
    with pytest.raises(ChildDiedError, match="stopping"):
        await slow[2]
    assert not is_alive(second)
    assert not files[2].exists()


async def test_work_is_killed_after_its_time(pool: FairPool, tmp_path: Path) -> None:
    await pool.run("a", SECONDS, abs, -1)  # the process has started
    with pytest.raises(TimeoutError):
        await pool.run("a", 0.2, hang, tmp_path / "process")
    assert not is_alive(await begun(tmp_path / "process"))
    assert await pool.run("a", SECONDS, abs, -1) == 1


async def test_processes_are_used_again_and_tell_how_they_ended(pool: FairPool) -> None:
    process = await pool.run("a", SECONDS, os.getpid)
    with pytest.raises(ValueError, match="invalid literal"):
        await pool.run("a", SECONDS, int, "x")
    assert await pool.run("b", SECONDS, os.getpid) == process
    with pytest.raises(ChildDiedError) as caught:
        await pool.run("a", SECONDS, signal.raise_signal, signal.SIGSEGV)
    assert caught.value.status == -signal.SIGSEGV
    assert await pool.run("a", SECONDS, os.getpid) != process
