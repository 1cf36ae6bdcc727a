"""Put steady load on one server: as many requests as it answers, over several connections."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.serving import client
from benchmarks.serving.client import Answer
from benchmarks.serving.servers import Running
from benchmarks.serving.table import percentile

SCRIPT = Path(__file__).with_name("post.lua")
WRK_MOST_SIDE = 32
"""wrk drops what is on its way when the time is over. Of small pictures that is little; of large
ones it is most of the work, so our own client sends those: it waits for every answer."""


@dataclass(frozen=True)
class Load:
    """A case: pictures of ``side`` pixels over a number of connections, for a number of seconds."""

    side: int
    connections: int
    seconds: float


@dataclass(frozen=True)
class Result:
    """Results of a case, in milliseconds. ``cpu`` is the server's CPU time per answer."""

    requests: int
    errors: int
    rate: float
    p50: float
    p95: float
    p99: float
    cpu: float
    rss: float


@dataclass(frozen=True)
class Counts:
    """Results of a load generator, in milliseconds."""

    requests: int
    errors: int
    seconds: float
    p50: float
    p95: float
    p99: float


def measure(server: Running, load: Load, picture: bytes) -> Result:
    """Load a server, after a short warm-up with the same load."""
    generate = _wrk if generator(load) == "wrk" else _own
    asyncio.run(_repeat(server, load, picture, load.seconds / 5))
    before = server.usage()
    counts = generate(server, load, picture)
    after = server.usage()
    cpu = (after.cpu - before.cpu) * 1000 / max(counts.requests, 1)
    rate = (counts.requests - counts.errors) / counts.seconds
    quantiles = counts.p50, counts.p95, counts.p99
    return Result(counts.requests, counts.errors, rate, *quantiles, cpu, after.rss)


def generator(load: Load) -> str:
    """Name of the load generator: ``wrk`` or ``own``."""
    return "wrk" if shutil.which("wrk") and load.side <= WRK_MOST_SIDE else "own"


def _wrk(server: Running, load: Load, picture: bytes) -> Counts:
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(picture)
        file.flush()
        url = f"http://{client.HOST}:{server.port}{server.path}"
        seconds = max(1, round(load.seconds))  # wrk takes whole ones
        options = ["-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(SCRIPT)]
        command = ["wrk", *options, url, "--", file.name]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 90)
    return parse_wrk(output.stdout)


def parse_wrk(output: str) -> Counts:
    """Parse the last line that our script for wrk prints."""
    figures = json.loads(output.strip().splitlines()[-1])
    quantiles = (figures[name] / 1000 for name in ("p50", "p95", "p99"))
    return Counts(figures["requests"], figures["errors"], figures["microseconds"] / 1e6, *quantiles)


def _own(server: Running, load: Load, picture: bytes) -> Counts:
    began = perf_counter()
    return count(asyncio.run(_repeat(server, load, picture, load.seconds)), perf_counter() - began)


def count(answers: list[Answer], seconds: float) -> Counts:
    """Summarise the answers of all connections. The quantiles are of the good ones."""
    times = [answer.seconds * 1000 for answer in answers if answer.good]
    quantiles = (percentile(times, share) for share in (50, 95, 99))
    return Counts(len(answers), len(answers) - len(times), seconds, *quantiles)


async def _repeat(server: Running, load: Load, picture: bytes, seconds: float) -> list[Answer]:
    until = perf_counter() + seconds
    chains = await client.together(
        server.port, load.connections, lambda one, _: client.repeat(one, server.path, picture, until)
    )
    return [answer for chain in chains for answer in chain]
