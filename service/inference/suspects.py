"""Finds the model whose work ends a device's process again and again, and keeps it out for a while.

When a process dies, nobody says why: it may have run out of memory, or somebody has killed it. Every model
that was at work then is a suspect until it has finished a batch. Suspects work one at a time, so the next
death tells which of them it is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from service.exceptions import RefusedError

STRIKES = 3
"""Deaths in a row, without a finished batch in between, after which a model is kept out."""

FIRST_SECONDS, MOST_SECONDS = 60.0, 3600.0
"""How long a model is kept out at first; each further death doubles it, up to an hour."""


class Suspects:
    """The models of one device that were at work when its process died, by their numbers.

    Args:
        clock: in seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._strikes, self._working = Counter[int](), Counter[int]()
        self._until: dict[int, float] = {}
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def working(self, number: int) -> AsyncIterator[None]:
        """Mark a model as at work within the block; suspects wait for each other.

        Raises:
            RefusedError: the model is kept out.
        """
        self._admit(number)
        if not self._strikes[number]:
            async with self._at_work(number):
                yield
            return
        async with self._alone:
            self._admit(number)
            async with self._at_work(number):
                yield

    @asynccontextmanager
    async def _at_work(self, number: int) -> AsyncIterator[None]:
        self._working[number] += 1
        try:
            yield
        finally:
            self._working[number] -= 1
            self._working += Counter()  # forgets what is at 0
        self._strikes.pop(number, None)

    def died(self) -> list[int]:
        """Note that the process has died. Return the models that are kept out from now on."""
        working = list(self._working)
        out = []
        for number in [one for one in working if self._strikes[one]] or working:
            self._strikes[number] += 1
            if (over := self._strikes[number] - STRIKES) >= 0:
                self._until[number] = self._clock() + min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(over, 16))
                out.append(number)
        return out

    def forget(self, number: int) -> None:
        """Forget a model that is not there any more."""
        self._strikes.pop(number, None)
        self._until.pop(number, None)

    def _admit(self, number: int) -> None:
        left = self._until.get(number, 0.0) - self._clock()
        if left > 0:
            detail = (
                f"the model has ended the device's process {self._strikes[number]} times in a row,"
                f" it is kept out for another {left:.0f} s"
            )
            raise RefusedError("unavailable", detail, left)
