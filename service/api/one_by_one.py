"""Calls of a background process, one after the other, that end when nobody waits for them any more."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import Request

from service.api.disconnect import run_while_connected
from service.exceptions import RefusedError
from service.processes.background import BackgroundProcess

T = TypeVar("T")

WAIT_SECONDS = 30.0
"""Longest time that a request waits for its turn."""


class OneByOne:
    """Lets requests use a background process one at a time.

    Those that wait take no thread, and the one that works has a thread of its own, so other requests, which
    share their threads, never wait for them.
    """

    def __init__(self, process: BackgroundProcess) -> None:
        self.process = process
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turn")

    async def run(self, request: Request, work: Callable[[], T]) -> T:
        """Return the result of ``work``, which calls the process.

        If the client hangs up, or the request's time is over, the process is ended.

        Raises:
            RefusedError: others take too long.
            ClientDisconnect, DeadlineError: see ``run_while_connected``.
        """
        return await run_while_connected(request, self._run(work))

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            detail = f"others have been at work for {WAIT_SECONDS:g} s, expected a free turn by then"
            raise RefusedError("overloaded", detail, WAIT_SECONDS) from error
        self.process.resume()
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        running.add_done_callback(self._done)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self.process.abort()
            raise

    def _done(self, running: asyncio.Future[T]) -> None:
        """Give the turn to the next one, only now: until its thread has ended, the call uses the process."""
        self._turn.release()
        if not running.cancelled():
            running.exception()  # perhaps nobody else asks for it

    def close(self) -> None:
        """End the process, and with it the call under way."""
        self.process.close()
