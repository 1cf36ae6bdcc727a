"""Processes that get no core: they live, and yet cannot give a sign of it.

A trainer has a low priority. Beside enough others its thread may wait for seconds with Python's lock
in its hands, and the heartbeat waits for that. Only Linux tells; elsewhere nobody is starved.
"""

from pathlib import Path
from time import monotonic, sleep

LOOK = 0.1
"""Seconds between two looks at a process."""

LITTLE = 0.5
"""Share of a core below which a thread that could use more of it is starved."""


def is_starved(pid: int) -> bool:
    """Whether a thread of the process is ready to run, and gets little or nothing of a core.

    One that is stopped, or waits for a lock or a disk, is not ready; one that turns in a circle has a core.
    """
    before, began = _ready(pid), monotonic()
    if not before:
        return False
    sleep(LOOK)
    after, most = _ready(pid), LITTLE * (monotonic() - began)
    return any(after[thread] - before[thread] < most for thread in before.keys() & after.keys())


def _ready(pid: int) -> dict[str, float]:
    """Seconds that each thread which runs, or could, has had of a core."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        try:
            state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
            had = int((thread / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):  # it has ended
            continue
        if state == "R":
            found[thread.name] = had
    return found
