"""A model that ends its device's process again and again is found and kept out; the others are not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from service.exceptions import RefusedError
from service.inference.suspects import FIRST_SECONDS, STRIKES, Suspects
from service.processes.child import ChildDiedError

pytestmark = pytest.mark.anyio
GOOD, BAD = 1, 2


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def work(suspects: Suspects, number: int) -> None:
    async with suspects.working(number):
        await asyncio.sleep(0)


async def die(suspects: Suspects, number: int, together: Callable[[], Awaitable[None]] | None = None) -> None:
    async def doomed() -> None:
        async with suspects.working(number):
            if together:
                await together()
            suspects.died()
            raise ChildDiedError("killed")

    with pytest.raises(ChildDiedError):
        await doomed()


async def kept_out(suspects: Suspects) -> None:
    for _ in range(STRIKES):
        await die(suspects, BAD)


async def test_it_is_kept_out_after_some_deaths_in_a_row_and_others_work() -> None:
    suspects = Suspects()
    await kept_out(suspects)
    with pytest.raises(RefusedError, match=r"ended the device's process 3 times in a row") as caught:
        await work(suspects, BAD)
    assert caught.value.reason == "unavailable"
    assert 0 < caught.value.retry_after <= FIRST_SECONDS
    await work(suspects, GOOD)


async def test_a_batch_that_ends_well_clears_it() -> None:
    suspects = Suspects()
    for _ in range(4):
        for _ in range(STRIKES - 1):
            await die(suspects, BAD)
        await work(suspects, BAD)


async def test_it_may_try_again_later_and_is_then_kept_out_for_longer() -> None:
    clock = Clock()
    suspects = Suspects(clock)
    await kept_out(suspects)
    clock.now += FIRST_SECONDS
    await die(suspects, BAD)
    clock.now += FIRST_SECONDS
    with pytest.raises(RefusedError):
        await work(suspects, BAD)
    clock.now += FIRST_SECONDS
    await work(suspects, BAD)
    await die(suspects, BAD)
    await work(suspects, BAD)


async def test_who_worked_beside_it_is_not_kept_out() -> None:
    suspects, dead = Suspects(), asyncio.Event()

    async def beside() -> None:
        async with suspects.working(GOOD):
            await dead.wait()
            raise ChildDiedError("killed")

    innocent = asyncio.ensure_future(beside())
    await asyncio.sleep(0)
    await die(suspects, BAD)
    dead.set()
    with pytest.raises(ChildDiedError):
        await innocent
    for _ in range(STRIKES - 1):  # alone, though the other one waits for its turn
        waiting = asyncio.ensure_future(asyncio.sleep(0))

        async def other() -> None:
            nonlocal waiting
            waiting = asyncio.ensure_future(work(suspects, GOOD))
            await asyncio.sleep(0)

        await die(suspects, BAD, other)
        await waiting
    with pytest.raises(RefusedError):
        await work(suspects, BAD)
    await work(suspects, GOOD)
