"""The pool of workers: real processes, each limited, and killed when nobody waits for it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from service.processes import watchdog, worker_pool
from service.processes.child import ChildDiedError
from service.processes.worker_pool import CostlyError, CrashedError, WorkerPool
from tests.service.processes.slow import crash, doubled, grab, hang, spin, stop
from tests.service.processes.test_fair_pool import begun, is_alive

pytestmark = pytest.mark.anyio

SECONDS = 60
MEMORY = 2**29


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(2, MEMORY, seconds=1)
    yield pool
    pool.close()


async def gone(process: int) -> None:
    async with asyncio.timeout(SECONDS):
        while is_alive(process):
            await asyncio.sleep(0.01)


async def test_large_values_go_there_and_back(pool: WorkerPool) -> None:
    values = np.arange(2**20, dtype=np.float32)
    found = await pool.run(
        doubled, values, "ab", size=values.nbytes, copy=lambda result: (result[0].copy(), result[1])
    )
    np.testing.assert_array_equal(found[0], 2 * values)
    assert found[1] == "abab"


async def test_a_worker_is_used_again_whatever_the_function_raises(pool: WorkerPool) -> None:
    before = await pool.run(os.getpid)
    with pytest.raises(ValueError, match="invalid literal"):
        await pool.run(int, "seven")
    assert await pool.run(os.getpid) == before != os.getpid()


async def test_work_that_nobody_waits_for_is_killed(pool: WorkerPool, tmp_path: Path) -> None:
    work = asyncio.create_task(pool.run(hang, tmp_path / "sign"))
    process = await begun(tmp_path / "sign")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await gone(process)
    assert await pool.run(abs, -1) == 1


async def test_processor_time_is_limited(pool: WorkerPool) -> None:
    with pytest.raises(CostlyError):
        await pool.run(spin)
    assert await pool.run(abs, -1) == 1


async def test_memory_is_limited(pool: WorkerPool) -> None:
    with pytest.raises(MemoryError):
        await pool.run(grab, 2 * MEMORY)
    assert await pool.run(grab, MEMORY // 4) == MEMORY // 4


async def test_a_crash_is_told(pool: WorkerPool) -> None:
    with pytest.raises(CrashedError, match="SIGSEGV"):
        await pool.run(crash)
    assert await pool.run(abs, -1) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_work_of_a_stopped_worker_is_done_by_another(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "LOOK_SECONDS", 0.02)
    assert await pool.run(stop, tmp_path / "sign") != int((tmp_path / "sign").read_text())


async def test_work_of_a_killed_worker_is_tried_once_more(pool: WorkerPool, tmp_path: Path) -> None:
    work = asyncio.create_task(pool.run(hang, tmp_path / "sign"))
    for _ in range(2):
        process = await begun(tmp_path / "sign")
        (tmp_path / "sign").unlink()
        os.kill(process, signal.SIGKILL)
    with pytest.raises(ChildDiedError):
        await work


async def test_slow_work_leaves_its_place_to_others(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "PATIENCE", 0.01)
    monkeypatch.setattr(worker_pool, "MOST_SLOW", 2)
    slow = [asyncio.create_task(pool.run(hang, tmp_path / str(n))) for n in range(2)]
    for n in range(2):
        await begun(tmp_path / str(n))
    assert await asyncio.wait_for(pool.run(abs, -1), SECONDS) == 1
    for task in slow:
        task.cancel()
    await asyncio.wait(slow)
    assert pool.slow == 0


async def test_closing_kills_all(tmp_path: Path) -> None:
    pool = WorkerPool(1, MEMORY)
    work = asyncio.create_task(pool.run(hang, tmp_path / "sign"))
    process = await begun(tmp_path / "sign")
    pool.close()
    with pytest.raises(ChildDiedError):
        await work
    await gone(process)
    with pytest.raises(ChildDiedError, match="stopping"):
        await pool.run(abs, -1)
