"""Clients that denoise and upload until they are stopped. Every complete answer is checked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from random import Random

import httpx

from benchmarks.faults.tally import Tally
from benchmarks.reliability.answers import Content, WrongError, check_same, good_requests
from benchmarks.reliability.service import connect
from benchmarks.soak import things

DENOISING, UPLOADING = 6, 2
TIMEOUT_SECONDS = 60
ANSWER, NO_ANSWER = "answers, each compared", "connections without an answer"
UPLOADED = "datasets that were answered for"

Refused = Callable[[httpx.Response], bool]


class Load:
    """Traffic on one service, across its restarts.

    Args:
        refused: whether an answer other than a good one is one that was promised, too.

    Attributes:
        datasets: ids that a client was told of.
    """

    def __init__(self, tally: Tally, seed: int = 0) -> None:
        self.tally, self.random, self.datasets = tally, Random(seed), list[str]()
        self.good = good_requests()
        self.expected: dict[str, Content] = {}
        self.refused: Refused = lambda answer: False
        self.answered = asyncio.Event()
        self._upload = things.scenes(3, 24, name="faults")
        self._models = count()

    async def learn(self, url: str) -> None:
        """Send every good request once, before any fault."""
        async with connect(url) as client:
            for request in self.good:
                self.expected[request.name] = await request.ask(client)

    @asynccontextmanager
    async def running(self, url: str) -> AsyncIterator[None]:
        """Keep all clients at work. The block starts after the first answer; at its end, requests in progress
        are waited for, whatever their result."""
        stop = asyncio.Event()
        self.answered.clear()
        acts = [self.denoise] * DENOISING + [self.upload] * UPLOADING + [self.upload_model]
        tasks = [asyncio.create_task(self._repeat(url, act, stop)) for act in acts]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.answered.wait()
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def _repeat(
        self, url: str, act: Callable[[httpx.AsyncClient], object], stop: asyncio.Event
    ) -> None:
        async with connect(url) as client:
            while not stop.is_set():
                try:
                    await act(client)  # type: ignore[misc]
                except httpx.TransportError:  # also of an answer that broke off
                    self.tally.notes[NO_ANSWER] += 1
                    await asyncio.sleep(0.05)
                except (WrongError, OSError, ValueError) as error:
                    self.tally.lost.append(f"{ANSWER}: {error!r}")

    async def denoise(self, client: httpx.AsyncClient) -> None:
        """Denoise one or several pictures whose answer is known."""
        request = self.random.choice(self.good)
        answer = await client.post(
            request.path, content=request.body, headers={"Content-Type": request.media_type}
        )
        self._take(
            answer, lambda: check_same(request.name, request.read(answer), self.expected[request.name])
        )

    async def upload(self, client: httpx.AsyncClient) -> None:
        """Upload a small dataset."""
        body, kind = self._upload
        answer = await client.post("/datasets", content=body, headers={"Content-Type": kind})
        if self._take(answer, lambda: None, 201):
            self.datasets.append(answer.json()["id"])

    async def upload_model(self, client: httpx.AsyncClient) -> None:
        """Upload a small model, a different one each time."""
        content = things.small_model(next(self._models))
        self._take(await client.post("/models/faults/versions", content=content), lambda: None, 201)

    def _take(self, answer: httpx.Response, check: Callable[[], object], status: int = 200) -> bool:
        """Return whether the answer is good. Otherwise it must be an expected error, or counts as lost."""
        if answer.status_code == status:
            check()
            self.answered.set()
            self.tally.tried[ANSWER] += 1
            return True
        path = answer.request.url.path
        if not self.refused(answer):
            raise WrongError(f"{path}: {answer.status_code} {answer.text[:300]}")
        self.tally.tried[f"refusals by {answer.status_code}"] += 1
        return False


async def denoises(load: Load, url: str) -> None:
    """Send all good requests once more.

    Raises:
        WrongError: an answer is not what it was.
    """
    async with connect(url) as client:
        for request in load.good:
            check_same(request.name, await request.ask(client), load.expected[request.name])
