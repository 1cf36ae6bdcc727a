"""Turns: a few places that many owners want, of which no owner gets all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Turns:
    """Lets ``places`` blocks run at once. Use it from one event loop only.

    If there are several places, each owner leaves one to others, so that the slow work of one owner never
    makes all others wait. A free place goes to the owner who has the fewest places, and of several to the
    one who got one longest ago.
    """

    def __init__(self, places: int) -> None:
        self.free, self.most = places, max(1, places - 1)
        self._taken: Counter[str] = Counter()
        self._turn, self._last = count(1), Counter[str]()  # the number of each owner's last turn
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Wait for a place, and keep it for the duration of the block."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((owner, place))
        self._give()
        try:
            await place
            yield
        finally:
            if place.done() and not place.cancelled():
                self._taken -= Counter((owner,))  # drops an owner who has none left
                self.free += 1
            else:
                self._waiting.remove((owner, place))
            self._give()

    def _give(self) -> None:
        """Give the free places to those who wait."""
        while self.free and (entitled := [each for each in self._waiting if self._is_entitled(*each)]):
            first = min(entitled, key=lambda each: (self._taken[each[0]], self._last[each[0]]))
            self._waiting.remove(first)
            owner, place = first
            self.free -= 1
            self._taken[owner] += 1
            self._last[owner] = next(self._turn)
            place.set_result(None)

    def _is_entitled(self, owner: str, place: asyncio.Future[None]) -> bool:
        return self._taken[owner] < self.most and not place.cancelled()
