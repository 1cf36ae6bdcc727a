"""Clients that hang up or are slow, on raw sockets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from benchmarks.reliability.answers import Good, WrongError

PIECES, PAUSE_SECONDS = 6, 0.05


async def leave(url: str, good: Good, random: Random) -> None:
    """Send a part of a request, or all of it, and hang up without reading."""
    _, writer = await _connect(url)
    head = _head(good, len(good.body))
    message = head + good.body
    end = random.choice((len(head) // 2, len(head), len(head) + len(good.body) // 2, len(message)))
    writer.write(message[:end])
    await writer.drain()
    await asyncio.sleep(random.choice((0, 0.001, 0.01)))
    if random.random() < 0.5:
        writer.transport.abort()  # by a reset
    else:
        writer.close()


async def dawdle(url: str, good: Good) -> bytes:
    """Send a request piece by piece, and return the answer's body.

    Raises:
        WrongError: it is no good one.
    """
    reader, writer = await _connect(url)
    message = _head(good, len(good.body), "Connection: close") + good.body
    for piece in range(PIECES):
        writer.write(message[piece * len(message) // PIECES : (piece + 1) * len(message) // PIECES])
        await writer.drain()
        await asyncio.sleep(PAUSE_SECONDS)
    return await _answer(reader, writer)


@dataclass(frozen=True)
class Admitted:
    """A request whose headers the service has read, and whose body it waits for."""

    good: Good
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def finish(self) -> bytes:
        """Send the body, and return the answer's.

        Raises:
            WrongError: it is no good one.
        """
        self.writer.write(self.good.body)
        await self.writer.drain()
        return await _answer(self.reader, self.writer)


async def admitted(url: str, good: Good) -> Admitted:
    """Send ``Expect: 100-continue``, and wait for the interim answer.

    Raises:
        WrongError: there is another one.
    """
    reader, writer = await _connect(url)
    writer.write(_head(good, len(good.body), "Connection: close", "Expect: 100-continue"))
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 100"):
        raise WrongError(f"{good.name}: {head!r}, expected 100")
    return Admitted(good, reader, writer)


async def announce_too_much(url: str) -> None:
    """Announce a body of 10 GB, which must be rejected before any of it is sent.

    Raises:
        WrongError: it is not refused at once.
    """
    reader, writer = await _connect(url)
    try:
        lines = (
            "POST /denoise HTTP/1.1",
            "Host: localhost",
            "Content-Type: image/png",
            f"Content-Length: {10**10}",
        )
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(10):
            first = await reader.readline()
    except TimeoutError:
        first = b"no answer"
    finally:
        writer.close()
    if b" 413 " not in first:
        raise WrongError(f"10 GB announced: {first!r}, expected 413")


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read the body of an answer up to the end of the connection."""
    try:
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if not head.startswith(b"HTTP/1.1 200"):
        raise WrongError(f"got {head[:80]!r} {body[:300]!r}, expected 200")
    return body


def _head(good: Good, length: int, *more: str) -> bytes:
    lines = [f"POST {good.path} HTTP/1.1", "Host: localhost", f"Content-Type: {good.media_type}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", *more, "", ""]).encode()
