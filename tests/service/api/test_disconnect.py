"""Work for a client is over when the client is, with all that it tidies up."""

import asyncio

import pytest
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Message

from service.api.disconnect import run_while_connected
from service.exceptions import DeadlineError

pytestmark = pytest.mark.anyio


def request(gone: asyncio.Event, seconds: float = 60) -> Request:
    """Of a client that hangs up when ``gone`` is set."""

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    deadline = asyncio.get_running_loop().time() + seconds
    return Request({"type": "http", "state": {"deadline": deadline}}, receive)


class Work:
    """Waits for ever, and takes a while to tidy up."""

    def __init__(self) -> None:
        self.begun, self.tidy = asyncio.Event(), False

    async def run(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            self.tidy = True


async def test_when_the_client_hangs_up_the_work_has_ended() -> None:
    work, gone = Work(), asyncio.Event()
    task = asyncio.create_task(run_while_connected(request(gone), work.run()))
    await work.begun.wait()
    gone.set()
    with pytest.raises(ClientDisconnect):
        await task
    assert work.tidy


async def test_when_the_time_is_over_the_work_has_ended() -> None:
    work = Work()
    with pytest.raises(DeadlineError):
        await run_while_connected(request(asyncio.Event(), 0.01), work.run())
    assert work.tidy


async def test_when_the_request_is_cancelled_the_work_has_ended() -> None:
    work = Work()
    task = asyncio.create_task(run_while_connected(request(asyncio.Event()), work.run()))
    await work.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.tidy
