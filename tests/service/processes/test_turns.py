"""Turns: who gets a place, and that places are given back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.processes.turns import Turns

pytestmark = pytest.mark.anyio


class Work:
    """Blocks of owners that want turns; each goes on until it is told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.begun = turns, list[str]()
        self.tasks = dict[str, asyncio.Task[None]]()
        self.ends = dict[str, asyncio.Event]()

    async def want(self, *names: str) -> None:
        """``a1`` is the first work of the owner a."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._work(name))
            await settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await settle()

    async def _work(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.begun.append(name)
            await self.ends[name].wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def working(places: int) -> AsyncIterator[Work]:
    work = Work(Turns(places))
    yield work
    for task in work.tasks.values():
        task.cancel()
    await asyncio.gather(*work.tasks.values(), return_exceptions=True)
    assert work.turns.free == places


async def test_an_owner_leaves_one_place_to_others() -> None:
    async with working(3) as work:
        await work.want("a1", "a2", "a3", "b1")
        assert work.begun == ["a1", "a2", "b1"]
        await work.end("b1")
        assert "a3" not in work.begun
        await work.end("a1")
        assert work.begun[-1] == "a3"


async def test_the_only_place_is_everybodys() -> None:
    async with working(1) as work:
        await work.want("a1", "a2", "b1", "c1", "a3")
        for expected in ("a1", "b1", "c1", "a2", "a3"):
            assert work.begun[-1] == expected
            await work.end(expected)


async def test_who_has_fewer_places_goes_first() -> None:
    async with working(3) as work:
        await work.want("b1", "a1", "a2")
        await work.want("a3", "b2", "c1")
        await work.end("a1")
        assert work.begun[-1] == "c1"
        await work.end("c1")
        assert work.begun[-1] == "b2"


async def test_who_gives_up_waiting_is_passed_over() -> None:
    async with working(1) as work:
        await work.want("a1", "b1", "c1")
        work.tasks["b1"].cancel()
        await work.end("a1")
        assert work.begun == ["a1", "c1"]


async def test_who_is_cancelled_upon_getting_a_place_gives_it_back() -> None:
    async with working(1) as work:
        await work.want("a1", "b1", "c1")
        work.ends["a1"].set()
        await asyncio.sleep(0)  # a1 goes on, and gives its place to b1, who has not noticed
        work.tasks["b1"].cancel()
        await settle()
        assert work.begun == ["a1", "c1"]


async def test_a_block_that_fails_gives_its_place_back() -> None:
    turns = Turns(1)
    with pytest.raises(RuntimeError):
        async with turns.turn("a"):
            raise RuntimeError
    assert turns.free == 1
