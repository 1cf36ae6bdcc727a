"""Background processes for long work of many owners, who take turns. Work that nobody waits for is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from service.processes.background import STOPPING, BackgroundProcess
from service.processes.child import ChildDiedError
from service.processes.threads import Threads, uninterrupted
from service.processes.turns import Turns

P = ParamSpec("P")
T = TypeVar("T")


class FairPool:
    """Runs functions in ``size`` processes, each alone in its own. Use it from one event loop only.

    Args:
        make: makes a process; it is called again for each that was killed.
    """

    def __init__(self, size: int, make: Callable[[], BackgroundProcess]) -> None:
        self._make, self._closed = make, False
        self._turns, self._threads = Turns(size), Threads("pool", 2 * size)  # one to run, one to kill
        self._idle: list[BackgroundProcess] = []
        self._busy: set[BackgroundProcess] = set()

    async def run(
        self, owner: str, seconds: float, function: Callable[P, T], *arguments: P.args, **options: P.kwargs
    ) -> T:
        """Return ``function(*arguments, **options)``, computed by a process when it is the owner's turn.

        If the caller is cancelled, or after ``seconds`` of its turn, the process is killed, with all that it
        does. It is dead when this returns or raises.

        Raises:
            TimeoutError: it took longer.
            ChildDiedError: the process ended by itself, or the pool was closed.
            Exception: what the function raises, with the same class and message.
        """
        async with self._turns.turn(owner):
            if self._closed:
                raise ChildDiedError(STOPPING)
            process = self._idle.pop() if self._idle else self._make()
            self._busy.add(process)
            is_killed = False
            try:
                async with asyncio.timeout(seconds):
                    return await self._threads.run(partial(process.run, function, *arguments, **options))
            except (TimeoutError, asyncio.CancelledError):
                is_killed = True
                await uninterrupted(self._threads.run(process.close))
                raise
            except ChildDiedError as error:
                raise (ChildDiedError(STOPPING) if self._closed else error) from error
            finally:
                self._busy.remove(process)
                if not is_killed:
                    self._idle.append(process)

    def close(self) -> None:
        """Kill all processes. Calls under way, and later ones, raise ``ChildDiedError``."""
        self._closed = True
        for process in (*self._idle, *self._busy):
            process.close()
