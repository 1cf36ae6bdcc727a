"""Compare the service with plain FastAPI, LitServe and Mosec, on the same networks and pictures.

``python -m benchmarks.serving`` starts one server after the other, each in a process of its
own, and prints two tables: steady load (answers per second, latencies, the server's CPU time for
each answer, memory), with our ratios to the best other server; and awkward traffic. Linux only.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from math import nan

import torch

from benchmarks.serving import awkward, whole
from benchmarks.serving.awkward import Extent, Finding
from benchmarks.serving.check import largest_difference
from benchmarks.serving.load import Load, Result, generator, measure
from benchmarks.serving.pictures import png
from benchmarks.serving.servers import OURS, SERVERS, Running, missing, running
from benchmarks.serving.table import Table
from n2n_core.models import architectures

CASES = ((32, 1), (32, 8), (32, 32), (32, 64), (256, 1), (256, 8))
LOAD_COLUMNS = {
    "server": 9, "model": 8, "side": 4, "conns": 5, "sent by": 7, "answers/s": 9, "p50 ms": 7, "p95 ms": 7,
    "p99 ms": 7, "CPU ms/answer": 13, "RSS MiB": 7, "requests": 8, "errors": 6,
}  # fmt: skip
RATIO_COLUMNS = {"model": 8, "side": 4, "conns": 5, "answers/s": 9, "p50": 6, "p99": 6, "CPU": 6, "RSS": 6}
QUICK = Extent(seconds=1, soak=200, huge=512)

Key = tuple[str, int, int]
Results = dict[Key, dict[str, Result]]


def steady(server: Running, seconds: float, table: Table, results: Results) -> None:
    """Measure every case on a server, and print a row for each."""
    for side, connections in CASES:
        load = Load(side, connections, seconds)
        result = measure(server, load, png(side))
        figures = result.rate, result.p50, result.p95, result.p99, result.cpu, result.rss
        counts = result.requests, result.errors
        table.row(server.name, server.model, side, connections, generator(load), *figures, *counts)
        results.setdefault((server.model, side, connections), {})[server.name] = result


def ratios(results: Results) -> None:
    """Print our figures divided by the best of the others. More answers/s are better; of all else, less."""
    pairs = {}
    for key, row in results.items():
        others = [result for name, result in row.items() if name != OURS and result.rate > 0]
        if OURS in row and others:
            pairs[key] = compare(row[OURS], others)
    if pairs:
        print("\nn2n over the best other server (answers/s: above 1 is better; the rest: below 1)")
        table = Table(RATIO_COLUMNS, left=1)
        for key, values in pairs.items():
            table.row(*key, *values)


def compare(ours: Result, others: list[Result]) -> list[float]:
    """Divide each of our figures by the best of the others."""

    def least(name: str) -> float:
        value: float = getattr(ours, name) / (min(getattr(other, name) for other in others) or nan)
        return value

    most = ours.rate / max(other.rate for other in others)
    return [most, *(least(name) for name in ("p50", "p99", "cpu", "rss"))]


def show(server: str, findings: list[Finding], table: Table) -> None:
    """Print a row for each finding."""
    for what, value, unit in findings:
        table.row(server, what, value, unit)


def all_steady(names: list[str], options: argparse.Namespace) -> None:
    """Print the table of steady load, and the ratios."""
    table, results = Table(LOAD_COLUMNS, left=2), Results()
    small = png(32)
    for name in names:
        for model in options.models:
            with running(name, model, options.threads, small) as server:
                difference = largest_difference(server, small)
                if difference > 1:
                    raise RuntimeError(f"{name} gives another picture, by {difference} grey levels")
                steady(server, options.seconds, table, results)
    ratios(results)


def all_awkward(names: list[str], model: str, extent: Extent, threads: int) -> None:
    """Print the table of awkward traffic."""
    print(f"\nawkward traffic, model {model}")
    table, small = Table({"server": 9, "what": 36, "value": 12, "": 5}, left=2), png(32)
    for name in names:
        with running(name, model, threads, small) as server:
            for act in awkward.SITUATIONS.values():
                awkward.settle(server)
                show(name, act(server, extent), table)
        with running(name, model, threads, small) as server:
            show(name, awkward.huge(server, extent), table)
    seconds, memory = whole.measure(model, extent.huge, threads)
    what = f"{extent.huge} px"
    show("no server", [(f"{what}: time", seconds, "s"), (f"{what}: extra memory", memory, "MiB")], table)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument(
        "--servers", nargs="+", choices=SERVERS, default=[*SERVERS], help="servers to measure"
    )
    parser.add_argument("--models", nargs="+", choices=architectures.MODELS, default=["torch", "scratch"])
    parser.add_argument("--seconds", type=float, default=5, help="seconds of load for each case")
    parser.add_argument("--soak", type=int, default=5000, help="mixed requests of the memory test")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of one inference")
    parser.add_argument(
        "--quick", action="store_true", help="do everything briefly, too short for reliable figures"
    )
    parser.add_argument("--only", choices=("steady", "awkward"), help="print only one of the two tables")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.soak = QUICK.seconds, QUICK.soak
    return options


def main() -> None:
    """Print the tables."""
    options = parse()
    extent = QUICK if options.quick else Extent(options.seconds, options.soak, 1024)
    reasons = {name: missing(name) for name in options.servers}
    names = [name for name, reason in reasons.items() if reason is None]
    for reason in filter(None, reasons.values()):
        print(reason)
    loop = "uvloop" if find_spec("uvloop") else "asyncio"
    print(
        f"torch {torch.__version__}, {options.threads} threads, uvicorn on {loop}, {options.seconds} s a case"
    )
    if options.only != "awkward":
        all_steady(names, options)
    if options.only != "steady":
        all_awkward(names, options.models[0], extent, options.threads)


if __name__ == "__main__":
    main()
