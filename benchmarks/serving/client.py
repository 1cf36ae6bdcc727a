"""Small HTTP client on asyncio that times every answer, and can hang up in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from benchmarks.serving.peers.network import MEDIA_TYPE

HOST = "127.0.0.1"
PNG = b"\x89PNG\r\n\x1a\n"
TIMEOUT = 300
NO_ANSWER = 0

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """Answer to a request, with its times by ``perf_counter``. The status is ``NO_ANSWER`` if none came."""

    status: int
    body: bytes
    began: float
    ended: float

    @property
    def good(self) -> bool:
        """True if the answer is a picture."""
        return self.status == 200 and self.body.startswith(PNG)

    @property
    def seconds(self) -> float:
        """Seconds from sending the request to the last byte of the answer."""
        return self.ended - self.began


def frame(path: str, body: bytes) -> bytes:
    """Return a POST request with a picture."""
    lines = f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Type: {MEDIA_TYPE}"
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "\r\n"]).encode() + body


def parse_head(head: bytes) -> tuple[int, int, bool]:
    """Return the status, the body length, and whether the connection stays open, from an answer's header.

    Raises:
        ValueError: the header announces no length.
    """
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    pairs = (line.partition(":")[::2] for line in lines)
    fields = {name.strip().lower(): value.strip() for name, value in pairs}
    if "content-length" not in fields:
        raise ValueError(f"the answer has no Content-Length: {first!r}")
    keeps = fields.get("connection", "").lower() != "close"
    return int(first.split()[1]), int(fields["content-length"]), keeps


class Connection:
    """A connection that is opened when it is used, and again after it was closed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> Answer:
        """Send a picture, and return the answer. A failed connection is an answer, too."""
        began = perf_counter()
        try:
            async with asyncio.timeout(TIMEOUT):
                status, content = await self._exchange(path, body)
        except (OSError, EOFError, TimeoutError, ValueError):
            self.close()
            status, content = NO_ANSWER, b""
        return Answer(status, content, began, perf_counter())

    async def send(self, path: str, body: bytes) -> None:
        """Send a picture without waiting for the answer."""
        _, writer = await self._open()
        writer.write(frame(path, body))
        await writer.drain()

    def close(self) -> None:
        """Close the connection."""
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(HOST, self.port)
        return self._streams

    async def _exchange(self, path: str, body: bytes) -> tuple[int, bytes]:
        await self.send(path, body)
        reader, _ = await self._open()
        status, length, keeps = parse_head(await reader.readuntil(b"\r\n\r\n"))
        content = await reader.readexactly(length)
        if not keeps:
            self.close()
        return status, content


def ask(port: int, path: str, body: bytes) -> Answer:
    """Send one request on a new connection."""
    return asyncio.run(together(port, 1, lambda connection, _: connection.post(path, body)))[0]


async def together(port: int, count: int, act: Callable[[Connection, int], Awaitable[T]]) -> list[T]:
    """Run ``count`` clients at once, numbered from 0, each on its own connection."""
    connections = [Connection(port) for _ in range(count)]
    try:
        return await asyncio.gather(*(act(connection, i) for i, connection in enumerate(connections)))
    finally:
        for connection in connections:
            connection.close()


async def repeat(connection: Connection, path: str, body: bytes, until: float) -> list[Answer]:
    """POST a picture repeatedly until the time ``until``, and wait for each answer."""
    answers = [await connection.post(path, body)]
    while perf_counter() < until:
        answers.append(await connection.post(path, body))
        if answers[-1].status == NO_ANSWER:
            await asyncio.sleep(0.05)  # a server that is down must not make this loop spin
    return answers
