"""Send SIGTERM amid requests: accepted ones are answered, others are not, and the process ends in time."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from random import Random
from time import monotonic
from urllib.parse import urlsplit

import httpx

from benchmarks.faults.load import Load
from benchmarks.faults.tally import Tally
from benchmarks.reliability.answers import Good, WrongError, check_same, picture
from benchmarks.reliability.service import SERVICE, TRAINER, Service, connect
from benchmarks.soak import awkward_clients

IN_FLIGHT = 8
AFTER_SECONDS = 3
"""Seconds after ``N2N_GRACE`` within which the process must end."""

ANSWERED, REFUSED = "requests taken on before, each answered", "requests after it, each refused"
ENDED = "ends in time with status 0"


async def terminations(
    service: Service, times: int, grace: float, *, stalls: bool = True, seed: int = 0
) -> Tally:
    """Send SIGTERM to a service at work, and start it again, ``times`` times.

    Args:
        stalls: the last time a client has stopped amid its upload, who is not waited for beyond ``grace``.
    """
    tally, load, random = Tally("SIGTERM"), Load(Tally(""), seed), Random(seed)
    await load.learn(service.url)
    for turn in range(times):
        stalled = await _stalled(service.url) if stalls and turn == times - 1 else None
        await _terminate(service, load, tally, random, grace)
        if stalled:
            stalled.close()
            tally.tried["with a client that stalls"] += 1
        await asyncio.to_thread(service.start)
    return tally


async def _terminate(service: Service, load: Load, tally: Tally, random: Random, grace: float) -> None:
    wanted = random.choices([request for request in load.good if request.read is picture], k=IN_FLIGHT)
    admitted = await asyncio.gather(*(awkward_clients.admitted(service.url, request) for request in wanted))
    early = random.randrange(IN_FLIGHT)  # of which the bodies are sent before the signal
    tasks = [
        asyncio.create_task(_finish(load, *pair))
        for pair in zip(wanted[:early], admitted[:early], strict=True)
    ]
    await asyncio.sleep(random.random() * 0.05)
    service.signal(signal.SIGTERM)
    tasks += [
        asyncio.create_task(_finish(load, *pair))
        for pair in zip(wanted[early:], admitted[early:], strict=True)
    ]
    ending = asyncio.create_task(asyncio.to_thread(_ends, service, grace))
    await asyncio.sleep(0.2)
    await _ask_later(service.url, load.good[0], tally, ending)
    for answer in await asyncio.gather(*tasks, return_exceptions=True):
        tally.check(ANSWERED, answer is None, repr(answer))
    status = await ending
    tally.check(ENDED, status == 0, f"status {status} {grace} s + {AFTER_SECONDS} s after SIGTERM")
    left = [role for role in service.processes().values() if role not in (SERVICE, TRAINER)]
    tally.check("looks for processes left behind", not left, f"{left}")


async def _finish(load: Load, request: Good, sending: awkward_clients.Admitted) -> None:
    """Send the body, and compare the answer."""
    expected = load.expected[request.name]
    check_same(request.name, expected | {"picture": await sending.finish()}, expected)


async def _ask_later(url: str, request: Good, tally: Tally, ending: asyncio.Task[int | None]) -> None:
    """Send requests until the service has ended: no connection, or the problem ``stopping``."""
    while not ending.done():
        try:
            async with connect(url) as client:
                await request.ask(client)
        except httpx.TransportError:
            good = True
        except WrongError as error:
            good = '"stopping"' in str(error)
        else:
            good = False
        tally.check(REFUSED, good, "it was answered, or in another way")
        await asyncio.sleep(0.05)


async def _stalled(url: str) -> asyncio.StreamWriter:
    """Client that announces a picture, and sends a part of it."""
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = "POST /denoise HTTP/1.1", "Host: localhost", "Content-Type: image/png", "Content-Length: 5000"
    writer.write("\r\n".join([*lines, "", "abc"]).encode())
    await writer.drain()
    return writer


def _ends(service: Service, grace: float) -> int | None:
    began = monotonic()
    try:
        return service.wait(grace + AFTER_SECONDS - (monotonic() - began))
    except subprocess.TimeoutExpired:
        service.kill()
        return None
