"""Send many mixed requests, hang-ups and bombs beside a training job: all answers right, nothing grows?

``python -m benchmarks.soak`` starts ``n2n serve``, sends the requests from several clients, checks every
answer, and tells what the service and its processes held. After every 10,000 requests it rests, and
compares what is held with what was after the warm-up. Ctrl-C, or SIGTERM, ends it with a verdict on what
was done until then. It exits with 1 if an answer was wrong or something did not stay flat. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from benchmarks.reliability.resources import Sample, sample
from benchmarks.reliability.service import Service
from benchmarks.soak import things
from benchmarks.soak.mixture import Mixture
from benchmarks.soak.outcome import Outcome, Plan
from benchmarks.soak.verdict import not_flat

EVERY_SECONDS, TOLD_SECONDS = 1.0, 30.0
SETTINGS = {"max_bytes": 4_000_000, "train_heartbeat": 1, "train_threads": 1}
SIGNALS = signal.SIGINT, signal.SIGTERM

Tell = Callable[[Outcome], None]


async def soak(outcome: Outcome, tell: Tell) -> None:
    """Send what is planned, beside training jobs; rest after the warm-up and after each round.

    Args:
        outcome: to be filled in; what ends the soak early is among its failures.
        tell: is called now and then, in a thread.
    """
    plan, mixture = outcome.plan, outcome.mixture
    try:
        await mixture.learn()
        if plan.warm_up:
            await _send(outcome, plan.warm_up, outcome.warm, tell)
        await _rest(outcome)
        left = plan.requests
        while left and not mixture.stopping:
            requests = min(left, plan.round)
            await _send(outcome, requests, outcome.loaded, tell)
            await _rest(outcome)
            left -= requests
    except Exception as error:  # the service may be gone; what was seen until then counts
        mixture.wrong.append(f"the soak ended early: {error!r}")


async def _send(outcome: Outcome, requests: int, samples: list[Sample], tell: Tell) -> None:
    """Send requests beside a training job, and take a sample every second."""
    mixture = outcome.mixture

    async def watch() -> None:
        told = perf_counter()
        while True:
            samples.append(await asyncio.to_thread(sample, mixture.service, mixture.sent.total()))
            if perf_counter() - told >= TOLD_SECONDS:
                told = perf_counter()
                await asyncio.to_thread(tell, outcome)
            await asyncio.sleep(EVERY_SECONDS)

    watcher = asyncio.create_task(watch())
    try:
        async with mixture.client() as client, things.training(client, mixture.wrong):
            await mixture.send(requests)
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher


async def _rest(outcome: Outcome) -> None:
    """Measure after the plan's seconds without work, and again for a while if it is not flat."""
    rests, plan = outcome.rests, outcome.plan
    rests.append(await _rested(outcome.mixture, plan.rest))
    deadline = perf_counter() + plan.patience
    while not_flat(outcome.warm, rests[0], rests[-1]) and perf_counter() < deadline:
        rests[-1] = await _rested(outcome.mixture, EVERY_SECONDS)


async def _rested(mixture: Mixture, seconds: float) -> Sample:
    """Measure after a number of seconds without work."""
    await asyncio.sleep(seconds)
    async with mixture.client() as client:
        await things.lists(client)  # upon which a pool's threads that idled end
    await asyncio.sleep(0.3)
    return await asyncio.to_thread(sample, mixture.service, mixture.sent.total())


async def until_told(outcome: Outcome, tell: Tell) -> None:
    """Run the soak. The first signal stops the requests, the next one ends everything."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        outcome.mixture.stopping = True
        for number in SIGNALS:
            loop.remove_signal_handler(number)

    for number in SIGNALS:
        loop.add_signal_handler(number, stop)
    await soak(outcome, tell)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000, help="requests after the warm-up")
    parser.add_argument(
        "--warm-up", type=int, help="requests of the warm-up; a tenth of --requests if not given"
    )
    parser.add_argument(
        "--clients", type=int, default=Plan.clients, help="number of clients that send at once"
    )
    parser.add_argument(
        "--rest", type=float, default=Plan.rest, help="seconds without work before a measurement"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all samples and the verdict to FILE every 30 seconds"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak, print the results, and return the exit status."""
    options = parse(arguments)
    warm_up = options.requests // 10 if options.warm_up is None else options.warm_up
    plan = Plan(options.requests, warm_up, options.clients, options.rest)

    def tell(outcome: Outcome) -> None:
        print(outcome.progress(), flush=True)
        if options.json:
            outcome.write(options.json)

    with tempfile.TemporaryDirectory() as folder, Service(Path(folder), SETTINGS) as service:
        outcome = Outcome(plan, Mixture(service, plan.clients))
        asyncio.run(until_told(outcome, tell))
        outcome.show()
        if options.json:
            outcome.write(options.json)
        return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
