"""What clients with small pictures notice of others who send hostile files, and what these take.

``python -m benchmarks.bystanders`` sends 32-px pictures over one connection, alone and while another process
sends each kind of file again and again over four. It prints p50 and worst in ms, and the peak memory of the
service's own process beyond what it takes at rest, in MiB.
"""

import argparse
import asyncio
import struct
import zlib
from itertools import chain
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.serving import client
from benchmarks.serving.client import Answer, Connection
from benchmarks.serving.pictures import png
from benchmarks.serving.procfs import parse_status
from benchmarks.serving.servers import Running, running
from benchmarks.serving.table import Table, percentile
from tests.hostile import slow_pictures
from tests.hostile.bombs import chunk
from tests.pictures import drawn, file

ATTACKERS = 4
TIMED = "&timeout=1"


def hostile() -> dict[str, bytes]:
    """The files, by what they are: those that were dear once, and the dearest that are legitimate."""
    deep = png_of_noughts(6000, 6000)
    return {
        "nobody": b"",
        "honest pictures of 32 px": png(32),
        "JPEG, 4 MiB of fill": slow_pictures.SLOW["jpeg, much fill before the picture"],
        "JPEG, 32 MiB of fill in a scan": slow_pictures.SLOW["jpeg, much fill in a scan"],
        "PNG, white space in its XMP": slow_pictures.SPACES,
        "JPEG, nested EXIF": slow_pictures.SLOW["jpeg, directories in directories"],
        "PNG, 16-bit RGBA of 36 megapixels": deep,
        "JPEG of 9 megapixels": file(drawn("RGB", 3000, 3000), "jpeg"),
    }


def png_of_noughts(width: int, height: int) -> bytes:
    """A small PNG of 16-bit RGBA, all of whose values are 0."""
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(bytes(1 + 8 * width)) for _ in range(height)) + rows.flush()
    head = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def keep_attacking(port: int, path: str, attack: bytes, stop: Event, got: "Queue[list[int]]") -> None:
    """Send the file again and again over ``ATTACKERS`` connections, and tell the statuses of the answers."""

    async def keep(connection: Connection, _: int) -> list[int]:
        statuses = []
        while not stop.is_set():
            statuses.append((await connection.post(path, attack)).status)
        return statuses

    got.put(list(chain(*asyncio.run(client.together(port, ATTACKERS, keep)))))


def beside(server: Running, attack: bytes, seconds: float) -> tuple[list[Answer], list[int]]:
    """Return the answers to the small pictures, and the statuses of those to the attackers."""
    process, stop, got = get_context("spawn"), get_context("spawn").Event(), get_context("spawn").Queue()
    arguments = (server.port, f"{server.path}{TIMED}", attack, stop, got)
    attacker = process.Process(target=keep_attacking, args=arguments)
    if attack:
        attacker.start()
        sleep(2)
    answers = asyncio.run(bystander(server, seconds))
    stop.set()
    return answers, got.get() if attack else []


async def bystander(server: Running, seconds: float) -> list[Answer]:
    """Send small pictures, one after the other."""
    connection = Connection(server.port)
    try:
        return await client.repeat(connection, server.path, png(32), perf_counter() + seconds)
    finally:
        connection.close()


def main() -> None:
    """Print a line for each attack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    print(processor())
    table = Table({"beside": 36, "p50": 8, "worst": 8, "failed": 8, "MiB": 8, "attackers got": 30}, left=1)
    with running("n2n", "scratch", 2, png(32)) as server:
        rest = memory(server)
        for name, attack in hostile().items():
            Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak begins anew
            answers, got = beside(server, attack, options.seconds)
            times = [1000 * answer.seconds for answer in answers if answer.good]
            statuses = sorted(set(got))
            failed = sum(not answer.good for answer in answers)
            shown = f"{len(got)} of {', '.join(map(str, statuses))}" if got else ""
            table.row(name, percentile(times, 50), max(times), failed, memory(server) - rest, shown)


def processor() -> str:
    """Return what the processor calls itself (Linux)."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "?")


def memory(server: Running) -> float:
    """Return the peak memory of the service's own process in MiB."""
    return parse_status(Path(f"/proc/{server.pid}/status").read_text())[1]


if __name__ == "__main__":
    main()
