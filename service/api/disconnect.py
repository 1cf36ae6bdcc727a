"""Work that ends when nobody waits for its answer any more."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.exceptions import DeadlineError
from service.http.body_limit import time_left
from service.processes.threads import uninterrupted

T = TypeVar("T")


async def run_while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of ``work``; cancel it if the client hangs up or the request's time is over.

    When this ends, so has ``work``, including what it does upon being cancelled.

    Raises:
        ClientDisconnect: the client has hung up.
        DeadlineError: the request's time is over.
    """
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, watch), timeout=time_left(request), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if not watch.done():
            raise DeadlineError
        raise watch.exception() or ClientDisconnect()
    finally:
        watch.cancel()
        if not task.done():
            task.cancel()
            await uninterrupted(asyncio.wait((task,)))


async def _disconnected(request: Request) -> None:
    """Return when the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
