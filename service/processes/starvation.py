"""Detects processes that get no core: they are alive, but cannot send heartbeats.

A trainer has a low priority. Beside enough other processes, its thread may wait for a core for seconds while
it holds Python's lock, and the heartbeat waits for that lock. Only Linux reports this; on other systems no
process counts as starved.
"""

from pathlib import Path
from time import monotonic, sleep

INTERVAL = 0.1
"""Seconds between the two measurements of a process."""

STARVED_SHARE = 0.5
"""Share of a core below which a thread that is ready to run counts as starved."""


def is_starved(pid: int) -> bool:
    """Return whether a thread of the process is ready to run, but gets little or nothing of a core.

    A thread that is stopped, or waits for a lock or a disk, is not ready. One in an endless loop has a core.
    """
    before, began = _cpu_seconds(pid), monotonic()
    if not before:
        return False
    sleep(INTERVAL)
    after, expected = _cpu_seconds(pid), STARVED_SHARE * (monotonic() - began)
    return any(after[thread] - before[thread] < expected for thread in before.keys() & after.keys())


def _cpu_seconds(pid: int) -> dict[str, float]:
    """Return the CPU time of each thread that runs or is ready to."""
    found = {}
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        try:
            state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
            seconds = int((thread / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, IndexError):  # the thread has ended
            continue
        if state == "R":
            found[thread.name] = seconds
    return found
