"""What parts of the service buy: ``python -m benchmarks.parts`` runs it with and without each, in turns.

A ratio is of the service without the part over the whole service, the median over turns: of answers/s, below
1 means that the part pays; of p50, p99 and CPU time, above 1. Linux only.
"""

from __future__ import annotations

import argparse
import platform
from statistics import median

from benchmarks.serving.load import Load, Result, measure
from benchmarks.serving.pictures import png
from benchmarks.serving.servers import OURS, running
from benchmarks.serving.table import Table
from benchmarks.serving.without import PARTS

CASES = ((32, 1), (32, 8), (32, 32))
COLUMNS = {"part": 10, "model": 8, "side": 4, "conns": 5, "answers/s": 9, "p50": 6, "p99": 6, "CPU": 6}


def load_all(name: str, model: str, threads: int, seconds: float) -> list[Result]:
    """Start a server, and measure every case."""
    with running(name, model, threads, png(32)) as server:
        return [measure(server, Load(side, count, seconds), png(side)) for side, count in CASES]


def ratios(whole: Result, without: Result) -> tuple[float, ...]:
    """Return the ratios of answers/s, p50, p99 and CPU time per answer."""
    pairs = [(getattr(without, name), getattr(whole, name)) for name in ("rate", "p50", "p99", "cpu")]
    return tuple(other / ours for other, ours in pairs)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS), choices=PARTS, help="all if not given")
    parser.add_argument("--models", nargs="+", default=["scratch", "torch"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3, help="of each case")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {options.threads} threads")
    table = Table(COLUMNS, left=2)
    for part in options.parts:
        for model in options.models:
            pairs = []
            for _ in range(options.turns):
                both = [load_all(name, model, options.threads, options.seconds) for name in (OURS, part)]
                pairs.append([ratios(whole, without) for whole, without in zip(*both, strict=True)])
            for (side, connections), turns in zip(CASES, zip(*pairs, strict=True), strict=True):
                table.row(part, model, side, connections, *map(median, zip(*turns, strict=True)))


if __name__ == "__main__":
    main()
