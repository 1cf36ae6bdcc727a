"""Many mixed requests, hang-ups, bombs and a training job: answers right, and nothing grows.

``python -m benchmarks.soak`` starts ``n2n serve``, sends the requests from several clients, checks every
answer, and prints what the service and its processes held. It exits with 1 if an answer was wrong or
something did not stay flat. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.reliability.resources import Sample, sample
from benchmarks.reliability.service import Service
from benchmarks.serving.table import Table
from benchmarks.soak import things
from benchmarks.soak.mixture import Mixture
from benchmarks.soak.verdict import FIGURES, not_flat, slope

EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 30
SHOWN = 20
SETTINGS = {"max_bytes": 4_000_000, "train_heartbeat": 1, "train_threads": 1}
COLUMNS = {"": 25, "after warm-up": 14, "most": 12, "end": 12, "per 10,000 requests": 20}


@dataclass
class Outcome:
    """What a soak saw: samples under load in the warm-up and after it, and at rest after each."""

    warm: list[Sample]
    loaded: list[Sample]
    start: Sample
    end: Sample
    mixture: Mixture
    seconds: float

    @property
    def failures(self) -> list[str]:
        """Wrong answers, unexpected failures in the log, and what is not flat."""
        broken = not_flat(self.warm, self.start, self.end)
        return [*self.mixture.wrong, *self.mixture.service.faults(), *broken]


async def soak(
    service: Service,
    requests: int,
    warm_up: int,
    clients: int,
    rest: float,
    patience: float = PATIENCE_SECONDS,
) -> Outcome:
    """Send ``warm_up`` requests, then ``requests`` more, beside a training job each; rest after each.

    Args:
        patience: seconds in which what is not flat may become so: pools let go of threads one by one.
    """
    mixture = Mixture(service, clients)
    await mixture.learn()
    warm = await _watched(service, mixture, warm_up) if warm_up else []
    start = await _rested(service, mixture, rest)
    began = perf_counter()
    loaded = await _watched(service, mixture, requests)
    seconds = perf_counter() - began
    end, deadline = await _rested(service, mixture, rest), perf_counter() + patience
    while not_flat(warm, start, end) and perf_counter() < deadline:
        end = await _rested(service, mixture, EVERY_SECONDS)
    return Outcome(warm, loaded, start, end, mixture, seconds)


async def _watched(service: Service, mixture: Mixture, requests: int) -> list[Sample]:
    """Send requests beside a job that trains; a sample for every second."""
    samples: list[Sample] = []

    async def watch() -> None:
        while True:
            samples.append(await asyncio.to_thread(sample, service, mixture.sent.total()))
            await asyncio.sleep(EVERY_SECONDS)

    watcher = asyncio.create_task(watch())
    try:
        async with mixture.client() as client, things.training(client, mixture.wrong):
            await mixture.send(requests)
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
    return samples


async def _rested(service: Service, mixture: Mixture, seconds: float) -> Sample:
    """What is held after so many seconds without work."""
    await asyncio.sleep(seconds)
    async with mixture.client() as client:
        await things.lists(client)  # upon which a pool's threads that idled end
    await asyncio.sleep(0.3)
    return await asyncio.to_thread(sample, service, mixture.sent.total())


def show(outcome: Outcome) -> None:
    """Print what was sent and what was held."""
    sent = ", ".join(f"{count} {kind}" for kind, count in outcome.mixture.sent.most_common())
    print(f"sent: {sent}; the last {outcome.loaded[-1].requests - outcome.loaded[0].requests} in", end=" ")
    print(
        f"{outcome.seconds:.0f} s; {outcome.mixture.rounded} good answers differ by a grey level somewhere\n"
    )
    table = Table(COLUMNS, left=1)
    for name, figure in FIGURES.items():
        most = max(figure(sample) for sample in [*outcome.loaded, outcome.end])
        growth = slope(outcome.loaded, figure)
        table.row(
            name, *(round(value, 1) for value in (figure(outcome.start), most, figure(outcome.end))), growth
        )


def write(outcome: Outcome, path: Path) -> None:
    """All of it as JSON."""
    told = {
        "sent": outcome.mixture.sent,
        "rounded": outcome.mixture.rounded,
        "seconds": outcome.seconds,
        "failures": outcome.failures,
        **{name: asdict(getattr(outcome, name)) for name in ("start", "end")},
        **{name: [asdict(sample) for sample in getattr(outcome, name)] for name in ("warm", "loaded")},
    }
    path.write_text(json.dumps(told, indent=2))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="after the warm-up")
    parser.add_argument("--warm-up", type=int, help="requests before; a tenth of the others if not given")
    parser.add_argument("--clients", type=int, default=12, help="that send at once")
    parser.add_argument("--rest", type=float, default=45, help="seconds without work before what is compared")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples and failures there, too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, and tell; the exit status."""
    options = parse(arguments)
    warm_up = options.requests // 10 if options.warm_up is None else options.warm_up
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder), SETTINGS) as service:
        outcome = asyncio.run(soak(service, options.requests, warm_up, options.clients, options.rest))
        failures = outcome.failures
        show(outcome)
        if options.json:
            write(outcome, options.json)
    for failure in failures[:SHOWN]:
        print(f"FAILED: {failure}")
    print(f"{len(failures)} failures" if failures else "all answers right, and nothing grew")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
