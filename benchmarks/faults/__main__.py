"""Kill and terminate the service under load, and fill its disk: is anything lost or half-written?

``python -m benchmarks.faults`` starts ``n2n serve`` on real folders, sends it pictures, datasets and models
from several clients beside a training job, and meanwhile kills it, tells it to end, or fills its disk. It
prints what was tried, how often, and what was lost, and exits with 1 unless that is nothing. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.full_disk import disk, full_disks
from benchmarks.faults.kills import device_kills, kills
from benchmarks.faults.tally import Tally
from benchmarks.faults.terminations import terminations
from benchmarks.reliability.service import Service
from benchmarks.serving.table import Table

GRACE = 8
SETTINGS = {"train_heartbeat": 0.5, "train_lease": 5, "train_threads": 1, "grace": GRACE}
TIMES = {"kill": 10, "kill-all": 6, "kill-device": 10, "terminate": 10, "full-disk": 8}
SHOWN = 20


@contextmanager
def _served() -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder), SETTINGS) as service:
        yield service


def kill(times: int) -> Tally:
    """Run ``kill -9`` on the service's own process."""
    with _served() as service:
        return asyncio.run(kills(service, times, all_of_it=False))


def kill_all(times: int) -> Tally:
    """Run ``kill -9`` on all processes of the service, including the trainer."""
    with _served() as service:
        return asyncio.run(kills(service, times, all_of_it=True))


def kill_device(times: int) -> Tally:
    """Run ``kill -9`` on the process that runs the networks."""
    with _served() as service:
        return asyncio.run(device_kills(service, times))


def terminate(times: int) -> Tally:
    """Send SIGTERM."""
    with _served() as service:
        return asyncio.run(terminations(service, times, GRACE))


def full_disk(times: int) -> Tally:
    """Fill the disk with the data and temporary files."""
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as aside,
        disk(Path(folder)) as reason,
    ):
        if reason:
            return Tally("a full disk", skipped=reason)
        with Service(Path(folder), SETTINGS, Path(aside) / "log.txt") as service:
            return asyncio.run(full_disks(service, times))


RUNS: dict[str, Callable[[int], Tally]] = {
    "kill": kill,
    "kill-all": kill_all,
    "kill-device": kill_device,
    "terminate": terminate,
    "full-disk": full_disk,
}


def show(tally: Tally, table: Table) -> None:
    """Print a row for each kind of run, and what was lost."""
    if tally.skipped:
        table.row(tally.name, f"skipped: {tally.skipped}", "-", "-")
    for what, times in tally.tried.items():
        table.row(tally.name, what, times, sum(text.startswith(f"{what}:") for text in tally.lost))
    for what, times in tally.notes.items():
        table.row(tally.name, what, times, "-")
    for text in tally.lost[:SHOWN]:
        print(f"LOST: {text}")


def write(tallies: Sequence[Tally], path: Path) -> None:
    """Return all results as JSON."""
    path.write_text(json.dumps([vars(tally) for tally in tallies], indent=2))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=RUNS, default=[*RUNS], help="kinds of runs to do")
    parser.add_argument("--times", type=int, help="number of runs of each kind; by default 6 to 10")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results as JSON")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all runs, print the results, and return the exit status."""
    options = parse(arguments)
    table = Table({"fault": 32, "what": 48, "times": 6, "lost": 5}, left=2)
    tallies = []
    for name in options.only:
        tallies.append(RUNS[name](options.times or TIMES[name]))
        show(tallies[-1], table)
    if options.json:
        write(tallies, options.json)
    lost = sum(len(tally.lost) for tally in tallies)
    print(f"{lost} promises broken" if lost else "nothing was lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
