"""Real-world traffic that benchmarks leave out: mixed sizes, corrupt files, hang-ups, overload.

Each function puts one server through one situation, and returns what happened as a list of
``(what, value, unit)``. All of them are bounded, and wait for what they began.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from time import perf_counter, sleep

from benchmarks.serving import client
from benchmarks.serving.client import NO_ANSWER, Answer, Connection
from benchmarks.serving.pictures import corrupt, png
from benchmarks.serving.servers import Running
from benchmarks.serving.table import Cell, percentile

Finding = tuple[str, Cell, str]
GOOD, BAD = 180, 12
HUNG_UP, CROWD, SOAKING = 24, 512, 16
LARGE_CLIENTS = 2


@dataclass(frozen=True)
class Extent:
    """Duration, amount and size of the traffic. ``--quick`` makes it small."""

    seconds: float
    soak: int
    huge: int


def beside_large(server: Running, extent: Extent) -> list[Finding]:
    """Measure one client's small pictures, alone and while others send large ones."""
    small, large = png(32), png(512)

    async def both() -> list[Answer]:
        # Only once a large one is at work do the small ones begin.
        others = asyncio.create_task(_keep_sending(server, large, extent.seconds + 0.5))
        await asyncio.sleep(0.5)
        answers = await _keep(server, small, extent.seconds)
        await others
        return answers

    alone, beside = asyncio.run(_keep(server, small, extent.seconds)), asyncio.run(both())
    return [
        *_times("32 px alone", alone),
        *_times("32 px beside 512 px", beside),
        ("32 px beside 512 px: failed", sum(not answer.good for answer in beside), ""),
    ]


async def _keep(server: Running, picture: bytes, seconds: float) -> list[Answer]:
    connection = Connection(server.port)
    try:
        return await client.repeat(connection, server.path, picture, perf_counter() + seconds)
    finally:
        connection.close()


async def _keep_sending(server: Running, picture: bytes, seconds: float) -> None:
    await asyncio.gather(*(_keep(server, picture, seconds) for _ in range(LARGE_CLIENTS)))


def _times(what: str, answers: list[Answer]) -> list[Finding]:
    times = [answer.seconds * 1000 for answer in answers if answer.good]
    return [(f"{what}: p50", percentile(times, 50), "ms"), (f"{what}: worst", max(times, default=nan), "ms")]


def poisoned(server: Running, extent: Extent) -> list[Finding]:
    """Send corrupt pictures among good ones, all at once. Each should affect only its sender."""
    good, bad = png(32), corrupt()
    spoilt = {index * (GOOD + BAD) // BAD for index in range(BAD)}

    def post(connection: Connection, index: int) -> asyncio.Future[Answer]:
        return asyncio.ensure_future(connection.post(server.path, bad if index in spoilt else good))

    answers = asyncio.run(client.together(server.port, GOOD + BAD, post))
    lost = [answer for index, answer in enumerate(answers) if index not in spoilt and not answer.good]
    return [
        (f"good answers lost, of {GOOD}", len(lost), ""),
        ("their statuses", statuses(lost), ""),
        (f"statuses of {BAD} corrupt", statuses([answers[index] for index in sorted(spoilt)]), ""),
    ]


def statuses(answers: list[Answer]) -> str:
    """Count the answers by status, such as ``422 x12``; ``none`` is a connection without an answer.

    >>> statuses([Answer(422, b"", 0, 1), Answer(422, b"", 0, 1), Answer(NO_ANSWER, b"", 0, 1)])
    'none x1, 422 x2'
    """
    counts = sorted(Counter(answer.status for answer in answers).items())
    return ", ".join(f"{status or 'none'} x{count}" for status, count in counts) or "-"


def hung_up(server: Running, extent: Extent) -> list[Finding]:
    """Measure how long a client waits after others have sent large pictures and hung up."""
    small, large = png(32), png(256)

    async def leave() -> Answer:
        async def send(connection: Connection, _: int) -> None:
            await connection.send(server.path, large)
            await asyncio.sleep(0.2)

        await client.together(server.port, HUNG_UP, send)
        connection = Connection(server.port)
        try:
            return await connection.post(server.path, small)
        finally:
            connection.close()

    answer = asyncio.run(leave())
    value = answer.seconds * 1000 if answer.good else nan
    return [(f"next answer after {HUNG_UP} hung up", value, "ms")]


def crowd(server: Running, extent: Extent) -> list[Finding]:
    """Measure far more clients than can be served at once."""
    picture = png(32)
    answers = asyncio.run(
        client.together(server.port, CROWD, lambda one, _: one.post(server.path, picture)),
    )
    served = [answer.seconds * 1000 for answer in answers if answer.good]
    refused = [answer for answer in answers if not answer.good]
    waits = [answer.seconds * 1000 for answer in refused]
    return [
        (f"{CROWD} at once: served", len(served), ""),
        ("served: p99", percentile(served, 99), "ms"),
        ("refused", statuses(refused), ""),
        ("refused: p99", percentile(waits, 99), "ms"),
        ("RSS afterwards", server.usage().rss, "MiB"),
    ]


def soak(server: Running, extent: Extent) -> list[Finding]:
    """Send many mixed requests, some of them bad, and measure the memory that remains."""
    pictures = mixture()
    first = extent.soak // 100
    failed = asyncio.run(_send(server, pictures, 0, first))
    early = server.usage().rss
    failed += asyncio.run(_send(server, pictures, first, extent.soak))
    late = server.usage().rss
    return [
        (f"RSS after {first} mixed requests", early, "MiB"),
        (f"RSS after {extent.soak}", late, "MiB"),
        ("growth", late - early, "MiB"),
        ("good pictures that failed", failed, ""),
    ]


def mixture() -> list[tuple[bytes, bool]]:
    """Return 100 pictures, and whether each is good: mostly small, one of 128 px, one corrupt."""
    sides = [128 if index == 50 else (32, 40, 48, 64)[index % 4] for index in range(99)]
    return [*((png(side, seed), True) for seed, side in enumerate(sides)), (corrupt(), False)]


async def _send(server: Running, pictures: list[tuple[bytes, bool]], begin: int, end: int) -> int:
    """Send pictures ``begin`` to ``end`` of the endless mixture, and return how many good ones failed."""
    numbers = iter(range(begin, end))

    async def work(connection: Connection, _: int) -> int:
        failed = 0
        for number in numbers:  # all clients draw from the same iterator
            picture, good = pictures[number % len(pictures)]
            answer = await connection.post(server.path, picture)
            failed += good and not answer.good
            if answer.status == NO_ANSWER:
                await asyncio.sleep(0.05)
        return failed

    return sum(await client.together(server.port, SOAKING, work))


def idle(server: Running, extent: Extent) -> list[Finding]:
    """Measure the resources of an idle server."""
    sleep(1)  # threads that wait for work in a loop give up
    before = server.usage().cpu
    sleep(extent.seconds)
    return [("idle CPU", (server.usage().cpu - before) * 1000 / extent.seconds, "ms/s")]


SITUATIONS: dict[str, Callable[[Running, Extent], list[Finding]]] = {
    "beside large": beside_large,
    "poisoned": poisoned,
    "hung up": hung_up,
    "crowd": crowd,
    "soak": soak,
    "idle": idle,
}
"""Measurements in the order in which they run on one server. ``huge`` needs a fresh one."""


def settle(server: Running) -> None:
    """Wait until a server has finished the work of earlier traffic, a minute at most."""
    deadline, span = perf_counter() + 60, 0.3
    while perf_counter() < deadline:
        before = server.usage().cpu
        sleep(span)
        if server.usage().cpu - before < 0.2 * span:  # some are never quite idle
            return


def huge(server: Running, extent: Extent) -> list[Finding]:
    """Send one huge picture to a server that has only seen a small one; measure time and added memory."""
    before = server.usage().peak
    answer = client.ask(server.port, server.path, png(extent.huge))
    seconds = answer.seconds if answer.good else nan
    return [
        (f"{extent.huge} px: time", seconds, "s"),
        (f"{extent.huge} px: extra memory", server.usage().peak - before, "MiB"),
    ]
