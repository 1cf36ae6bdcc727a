"""Measure the effect of lanes, lines and the spare core: each is switched off in turn.

With ``python -m benchmarks.scheduling`` a client sends small pictures one after the other. Meanwhile, if
asked for, others send large ones without a pause. The table shows the latencies of the small pictures, and
the pixels of large ones per second.
"""

from __future__ import annotations

import argparse
import asyncio
from statistics import median, quantiles
from time import monotonic, perf_counter
from unittest.mock import patch

import numpy as np

from n2n_core.image import Pixels
from n2n_core.models import weights
from service.inference import lane
from service.inference.device_process import DeviceProcess, RemoteDenoiser
from service.inference.scheduler import Scheduler
from service.telemetry import Telemetry

VARIANTS = ("as it is", "one lane", "one line", "no spare core")


async def measure(
    variant: str, denoiser: RemoteDenoiser, options: argparse.Namespace
) -> tuple[list[float], int]:
    """Return the small pictures' seconds, and the number of pixels of large ones."""
    scheduler, end = Scheduler(1, 10**9, Telemetry("", "")), monotonic() + options.seconds
    small, large = (np.zeros((3, side, side), np.float32) for side in (options.small, options.large))
    taken: list[float] = []
    pixels = 0

    async def run(image: Pixels) -> None:
        (job,) = scheduler.submit_all("model", [denoiser], [image], None)
        await job.result

    async def send_small() -> None:
        while monotonic() < end:
            began = perf_counter()
            await run(small)
            taken.append(perf_counter() - began)

    async def send_large() -> None:
        nonlocal pixels
        while monotonic() < end:
            await run(large)
            pixels += options.large**2

    with (
        patch.object(lane, "BRIEF_SECONDS", 0.0 if variant == "one lane" else lane.BRIEF_SECONDS),
        patch.object(lane, "SERIAL_SECONDS", 0.0 if variant == "no spare core" else lane.SERIAL_SECONDS),
        patch.object(denoiser.process, "lines", 1 if variant == "one line" else denoiser.process.lines),
    ):
        await asyncio.gather(send_small(), *(send_large() for _ in range(options.clients)))
        await scheduler.close()
    return taken, pixels


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduling", description=__doc__)
    parser.add_argument("--model", default="torch")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads in all")
    parser.add_argument("--small", type=int, default=32, help="side in pixels")
    parser.add_argument("--large", type=int, default=1024, help="side in pixels")
    parser.add_argument("--clients", type=int, default=1, help="that send large pictures; 0 for none")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    device = DeviceProcess("cpu", options.threads)
    entry = weights.find(options.model)
    denoiser = RemoteDenoiser(device, entry.path, entry.sha256)
    denoiser.calibrate()
    print(f"{'':14}{'small p50 ms':>14}{'p99 ms':>10}{'large Mpixel/s':>16}")
    found: dict[str, list[tuple[float, float, float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(options.turns):
        for variant in VARIANTS:
            taken, pixels = asyncio.run(measure(variant, denoiser, options))
            p99 = quantiles(taken, n=100)[-1] if len(taken) > 1 else taken[0]
            found[variant].append((median(taken) * 1e3, p99 * 1e3, pixels / options.seconds / 1e6))
    for variant, turns in found.items():
        p50, p99, speed = (median(column) for column in zip(*turns, strict=True))
        print(f"{variant:14}{p50:14.2f}{p99:10.2f}{speed:16.2f}")
    device.close()


if __name__ == "__main__":
    main()
