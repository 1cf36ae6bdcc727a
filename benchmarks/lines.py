"""Compare tiles side by side, one core each, with tiles one after the other on all cores.

``python -m benchmarks.lines`` measures both in turns, and prints the medians: nanoseconds per pixel of the
tiles without their halo.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter

import torch

from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights

SIDES = (64, 128, 192, 256)
SECONDS = 0.3


def seconds(denoiser: Denoiser, side: int, threads: int, lines: int) -> float:
    """Measure the seconds per tile if ``lines`` tiles run at once, each on this many threads."""
    tile = torch.zeros(1, 3, side, side)

    def run(_: int) -> int:
        torch.set_num_threads(threads)  # of this thread alone
        began, count = perf_counter(), 0
        while perf_counter() - began < SECONDS:
            denoiser.run(tile)
            count += 1
        return count

    with ThreadPoolExecutor(lines) as pool:
        began = perf_counter()
        count = sum(pool.map(run, range(lines)))
        return (perf_counter() - began) / count


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lines", description=__doc__)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads in all")
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {options.threads} threads, medians of {options.turns} turns")
    print(f"{'model':10}{'tile':>6}{'all cores ns':>14}{'a core each':>13}{'ratio':>8}")
    for model, entry in sorted(weights.read_index().items()):
        denoiser = Denoiser.load(entry.path, "cpu")
        for side in SIDES:
            pixels = (side - 2 * denoiser.geometry.halo) ** 2 / 1e9
            shapes = {"all": (options.threads, 1), "each": (1, options.threads)}
            found: dict[str, list[float]] = {name: [] for name in shapes}
            for _ in range(options.turns):
                for name, (threads, lines) in shapes.items():
                    found[name].append(seconds(denoiser, side, threads, lines) / pixels)
            wide, narrow = median(found["all"]), median(found["each"])
            print(f"{model:10}{side:6}{wide:14.0f}{narrow:13.0f}{narrow / wide:8.2f}", flush=True)


if __name__ == "__main__":
    main()
