"""Run a reader on its corpus, and print as JSON what that cost: ``python -m tests.fuzz.replay image``."""

import json
import sys
from functools import partial
from pathlib import Path

from tests.fuzz.cost import measured
from tests.fuzz.targets import BOUND, CORPUS, attempt


def peak() -> int:
    """The most memory that this process has had, in bytes (on Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(target: str) -> None:
    """Print the process's memory, the slowest and the hungriest file, and those that are out of bounds."""
    files = sorted((CORPUS / target).iterdir())
    attempt(target, files[0].read_bytes())  # loads what it needs
    before, costs = peak(), {}
    for path in files:
        sys.stderr.write(f"{path.name}\n")  # the last one is the one that broke it
        attempt(target, path.read_bytes())  # loads what this one needs, too
        costs[path.name] = measured(partial(attempt, target), path.read_bytes())
    slowest = max(costs, key=lambda name: costs[name].seconds / max(costs[name].kilobytes, 1))
    hungriest = max(costs, key=lambda name: costs[name].peak / max(costs[name].kilobytes, 1))
    told = {
        "memory": peak() - before,
        "slowest": f"{slowest}, {costs[slowest]}",
        "hungriest": f"{hungriest}, {costs[hungriest]}",
        "beyond": [f"{name}, {cost}" for name, cost in costs.items() if BOUND.share(cost) > 1],
    }
    sys.stdout.write(json.dumps(told, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
