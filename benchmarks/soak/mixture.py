"""Random mixture of requests, drawn with a seed, and counts of their answers."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from random import Random
from time import perf_counter

import httpx

from benchmarks.reliability.answers import Content, Good, WrongError, check_same, good_requests, picture
from benchmarks.reliability.service import Service, connect
from benchmarks.soak import awkward_clients, things
from benchmarks.soak.bad import bad_requests

SHARES = {
    "good": 620,
    "bad": 200,
    "hang-up": 110,
    "slow": 30,
    "too large": 10,
    "list": 24,
    "dataset": 4,
    "model": 2,
}
"""Number of requests of each kind per 1,000."""

MOST_WRONG = 1000
"""Number of failures after which nothing more is sent, as the service seems to be gone."""


class Mixture:
    """Sends requests, and counts what came of them.

    Attributes:
        sent: how many of each kind.
        rounded: good answers that were not the same to the byte, but within a grey level.
        wrong: what was not as it must be.
        stopping: whether nothing more is to be sent.
        seconds: that sending has taken.
    """

    def __init__(self, service: Service, clients: int, seed: int = 0) -> None:
        self.service, self.clients, self.random = service, clients, Random(seed)
        self.sent: Counter[str] = Counter()
        self.rounded = 0
        self.wrong: list[str] = []
        self.stopping = False
        self.seconds = self._since = 0.0
        self.good = good_requests()
        self.bad, self.model = bad_requests(), things.small_model()
        self.dataset = things.scenes(3, 24, name="small")
        self.expected: dict[str, Content] = {}
        self._numbers = count()
        self._acts: dict[str, Callable[[httpx.AsyncClient], Awaitable[None]]] = {
            "good": self._good,
            "bad": lambda client: self.random.choice(self.bad).ask(client),
            "hang-up": lambda _: awkward_clients.leave(service.url, self._any_good(), self.random),
            "slow": self._slow,
            "too large": lambda _: awkward_clients.announce_too_much(service.url),
            "list": things.lists,
            "dataset": lambda client: things.one_dataset(client, self.dataset),
            "model": lambda client: things.one_model(client, f"soak-{next(self._numbers)}", self.model),
        }

    @property
    def speed(self) -> float:
        """Requests per second."""
        return self.sent.total() / self.seconds if self.seconds else 0.0

    def client(self) -> httpx.AsyncClient:
        """Open a connection to the service."""
        return connect(self.service.url)

    async def learn(self) -> None:
        """Send every good request once, alone. Later answers must equal these."""
        async with self.client() as client:
            for request in self.good:
                self.expected[request.name] = await request.ask(client)

    async def send(self, requests: int) -> None:
        """Send a number of requests from all clients at once."""
        kinds = iter(self.random.choices(list(SHARES), list(SHARES.values()), k=requests))

        async def work() -> None:
            async with self.client() as client:
                for kind in kinds:  # all clients draw from the same iterator
                    await self._try(kind, client)
                    if self.stopping:
                        return

        self._since = perf_counter() - self.seconds
        await asyncio.gather(*(work() for _ in range(self.clients)))

    async def _try(self, kind: str, client: httpx.AsyncClient) -> None:
        try:
            await self._acts[kind](client)
        except WrongError as error:
            self.wrong.append(str(error))
        except Exception as error:
            self.wrong.append(f"{kind}: {error!r} {traceback.format_exc(limit=-2)}")
        self.sent[kind] += 1
        self.seconds = perf_counter() - self._since
        self.stopping |= len(self.wrong) >= MOST_WRONG

    def _any_good(self) -> Good:
        return self.random.choice(self.good)

    async def _good(self, client: httpx.AsyncClient) -> None:
        request = self._any_good()
        self._compare(request, await request.ask(client))

    async def _slow(self, client: httpx.AsyncClient) -> None:
        request = self.random.choice([request for request in self.good if request.read is picture])
        expected = self.expected[request.name]
        content = await awkward_clients.dawdle(self.service.url, request)
        self._compare(request, expected | {"picture": content})

    def _compare(self, request: Good, got: Content) -> None:
        self.rounded += not check_same(request.name, got, self.expected[request.name])
