"""Pools of threads: calls that nobody waits for, and calls that must end."""

import asyncio
import threading
from contextvars import ContextVar

import pytest

from service.processes.threads import Threads, uninterrupted

pytestmark = pytest.mark.anyio

SECONDS = 30


async def test_a_full_pool_keeps_no_other_waiting() -> None:
    full, other, go = Threads("full", 1), Threads("other", 1), threading.Event()
    blocked = asyncio.create_task(full.run(go.wait, SECONDS))
    assert await asyncio.wait_for(other.run(abs, -1), SECONDS) == 1
    go.set()
    assert await blocked


async def test_clients_who_hang_up_leave_no_threads_behind() -> None:
    pool, go, ran = Threads("pool", 2), threading.Event(), list[int]()

    def work(number: int) -> None:
        ran.append(number)
        go.wait(SECONDS)

    calls = [asyncio.create_task(pool.run(work, number)) for number in range(50)]
    while len(ran) < 2:
        await asyncio.sleep(0.001)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    go.set()
    assert await pool.run(abs, -1) == 1
    assert ran == [0, 1]


async def test_a_call_knows_the_request_that_it_is_of() -> None:
    variable: ContextVar[str] = ContextVar("variable")
    variable.set("mine")
    assert await Threads("pool", 1).run(variable.get) == "mine"


async def test_what_must_not_be_interrupted_comes_to_its_end() -> None:
    pool, begun, go, done = Threads("pool", 1), threading.Event(), threading.Event(), list[bool]()

    def work() -> None:
        begun.set()
        done.append(go.wait(SECONDS))

    task = asyncio.create_task(uninterrupted(pool.run(work)))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [True]
