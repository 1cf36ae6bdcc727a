"""Blocking calls from the event loop, in small pools of threads: what blocks one pool blocks no other.

A call that nobody waits for any more leaves the queue of its pool. One that has begun keeps its thread until
it returns, so that clients who hang up cannot make more threads than a pool has.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A pool of threads. They start when there is work.

    Args:
        most: calls that run at the same time; others wait.
    """

    def __init__(self, name: str, most: int) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return ``function(*arguments, **options)``, called by a thread of the pool."""
        call = partial(copy_context().run, function, *arguments, **options)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)


async def uninterrupted(work: Awaitable[T]) -> T:
    """Wait for ``work``. If this is cancelled, it still waits for the end, and is cancelled then."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise
