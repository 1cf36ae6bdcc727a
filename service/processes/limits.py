"""Limits of what a background or training process may take from its machine: memory, priority, cores.

On Linux each thread has its own priority, which it inherits from the thread that starts it. A trainer's
heartbeat starts first and keeps the usual priority, so a busy machine does not make its job look dead. The
heartbeat needs Python's lock, though: if the thread that holds it gets no core, the job looks dead all the
same (``starvation``).
"""

import os
import resource
from pathlib import Path
from time import monotonic, sleep

NICE = 15
"""Nice value of trainers: lower than that of the device process's threads for large pictures."""

_AUTOGROUP = Path("/proc/self/autogroup")
_SCHEDSTAT = Path("/proc/thread-self/schedstat")
WAITED = 0.1
"""Fraction of its time that a thread waits for a core, above which other processes need the cores."""

PAUSE, LONGEST_PAUSE = 3.0, 1.0
"""Length of a pause: as a multiple of the time since the last one, and at most so many seconds."""

IMPOLITE = "_N2N_IMPOLITE"
"""Environment variable with which trainers yield to nobody. For tests: they wait for trainers."""


def cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return half of the cores: at any priority, threads share caches and memory with requests."""
    return max(1, cores() // 2)


def default_memory() -> int:
    """Return half of the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def limit_memory(size: int) -> None:
    """Limit this process to ``size`` bytes of data. Beyond that, allocations fail.

    The limit is on data, not on addresses, because CUDA reserves terabytes of addresses.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (size, hard))


def lower_priority() -> None:
    """Give this thread, and the threads that it starts, a low priority, if the system allows it."""
    if os.environ.get(IMPOLITE):
        return
    os.nice(NICE)
    try:  # where sessions share the cores evenly, only the session's own priority counts
        _AUTOGROUP.write_text(str(NICE))
    except OSError:
        return


class Throttle:
    """Pauses a thread that works in small steps while other processes want the cores.

    A low priority alone still gives the thread the moments between two requests, in which it empties the
    caches that the next request needs. Only Linux reports waiting times; on other systems it never pauses.
    """

    def __init__(self) -> None:
        self._before = monotonic(), _waited()

    def pause(self) -> None:
        """Sleep between two steps, for a multiple of the last step's time, if it had to wait for a core."""
        if os.environ.get(IMPOLITE):
            return
        (began, waited), now = self._before, monotonic()
        if _waited() - waited > WAITED * (now - began):
            sleep(min(PAUSE * (now - began), LONGEST_PAUSE))
        self._before = monotonic(), _waited()


def _waited() -> float:
    """Return the seconds that this thread has been ready to run, but had no core."""
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
