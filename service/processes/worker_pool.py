"""A pool of workers: processes for work on data that nobody trusts, such as decoding a stranger's image.

Work that nobody waits for any more is killed, and so is work that takes more than its share of processor time
or memory. Each call has a process of its own, so a stopped or slow one delays no other.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from service.processes.box import Box
from service.processes.child import Child, ChildDiedError
from service.processes.watchdog import ChildStoppedError, watched_line

T = TypeVar("T")

PATIENCE = 0.5
"""Seconds after which a call no longer counts as one of those at once, so that the next one can begin."""

MOST_SLOW = 8
"""Calls beyond ``PATIENCE`` that run besides."""

LARGE = 2**20
"""Bytes that are copied by a thread, not by the event loop."""

SECONDS = 30
"""Processor time for one call. The largest pictures in the dearest formats take a few seconds."""


class CostlyError(ChildDiedError):
    """The work took more processor time than a worker may."""


class CrashedError(ChildDiedError):
    """The work crashed its worker, such as by a fault in a decoder."""


class WorkerPool:
    """Runs functions in workers, each call alone in one. Use it from one event loop only.

    Workers start when there is work, and stay for the next one.

    Args:
        at_once: calls at the same time, besides up to ``MOST_SLOW`` that take longer than ``PATIENCE``.
        memory: bytes that a worker may allocate; beyond that, allocations fail.
        seconds: processor time that a call may take.
    """

    def __init__(self, at_once: int, memory: int, seconds: float = SECONDS) -> None:
        self.memory, self.seconds, self.slow = memory, seconds, 0
        self._places = asyncio.Semaphore(at_once)
        self._idle, self._busy = list[_Worker](), set[_Worker]()
        self._threads = ThreadPoolExecutor(at_once + MOST_SLOW, thread_name_prefix="worker")
        self._closed = False

    async def run(
        self,
        function: Callable[..., T],
        *arguments: Any,
        size: int = 0,
        copy: Callable[[T], Any] | None = None,
    ) -> Any:
        """Return ``copy(function(*arguments))``; the function is computed by a worker.

        If the caller is cancelled, the worker is killed.

        Args:
            size: about the bytes of the arguments.
            copy: called here, in a thread, with the function's result, whose arrays are gone afterwards.

        Raises:
            CostlyError, CrashedError: the function took too long, or crashed.
            MemoryError: it needs more memory than a worker may take.
            ChildDiedError: the worker was ended, and another one that took its place, too.
            Exception: what the function or ``copy`` raises.
        """
        async with self._place():
            try:
                return await self._run(function, arguments, size, copy)
            except (CostlyError, CrashedError):
                raise
            except ChildDiedError:  # somebody stopped or killed it
                return await self._run(function, arguments, size, copy)

    def close(self) -> None:
        """Kill all workers. Calls under way, and later ones, raise ``ChildDiedError``."""
        self._closed = True
        for worker in (*self._idle, *self._busy):
            worker.child.end()
        self._threads.shutdown(cancel_futures=True)

    async def _run(
        self,
        function: Callable[..., T],
        arguments: tuple[Any, ...],
        size: int,
        copy: Callable[[T], Any] | None,
    ) -> Any:
        if self._closed:
            raise ChildDiedError("the service is stopping")
        worker = self._idle.pop() if self._idle else _Worker(self.memory, self.seconds)
        self._busy.add(worker)
        is_sound = False
        try:
            sizes = await self._apart(size, worker.requests.put, (function, arguments))
            sizes = await worker.call(sizes)
            result = await self._apart(sum(sizes), _taken, worker.results, sizes, copy)
            is_sound = True
            return result
        except ChildDiedError:
            raise
        except Exception:  # of the function
            is_sound = True
            raise
        finally:
            self._busy.discard(worker)
            if is_sound and not self._closed:
                worker.empty()
                self._idle.append(worker)
            elif not self._closed:
                self._threads.submit(worker.child.end)  # reaping a large process takes a moment

    async def _apart(self, size: int, work: Callable[..., T], *arguments: Any) -> T:
        """Call ``work`` in a thread if there is much to copy."""
        if size < LARGE:
            return work(*arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it until the end of the block, or for ``PATIENCE``."""
        await self._places.acquire()
        is_held = True

        def give() -> None:
            nonlocal is_held
            if self.slow < MOST_SLOW:
                is_held = False
                self.slow += 1
                self._places.release()

        timer = asyncio.get_running_loop().call_later(PATIENCE, give)
        try:
            yield
        finally:
            timer.cancel()
            if is_held:
                self._places.release()
            else:
                self.slow -= 1


class _Worker:
    """A process, and the boxes for what goes in and comes out."""

    def __init__(self, memory: int, seconds: float) -> None:
        self.requests, self.results = Box.new(), Box.new()
        descriptors = [self.requests.descriptor, self.results.descriptor]
        self.child = Child(
            "service.processes.worker", ",".join(map(str, descriptors)), memory, seconds,
            name="the process that works on the file", descriptors=descriptors,
        )  # fmt: skip

    async def call(self, sizes: list[int]) -> list[int]:
        """Run what is in the box of requests; returns the sizes of the result."""
        (line,) = self.child.lines
        try:
            with watched_line(self.child, line, None):
                result: list[int] = await line.call(sizes)
                return result
        except ChildStoppedError:
            raise
        except ChildDiedError as error:
            status = -await asyncio.to_thread(self.child.process.wait)
            if status == signal.SIGXCPU:
                raise CostlyError(str(error)) from error
            if status in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL):
                raise CrashedError(f"{error}: {signal.Signals(status).name}") from error
            raise

    def empty(self) -> None:
        """Free the memory of the last request and its result."""
        self.requests.empty()
        self.results.empty()


def _taken(box: Box, sizes: list[int], copy: Callable[[Any], Any] | None) -> Any:
    value = box.take(sizes)
    return value if copy is None else copy(value)
