"""What a trainer may take of its machine.

On Linux a priority is a thread's, and threads inherit it: the heartbeat, which starts first, keeps
its own, so that a busy machine does not make its job look dead. It must be able to wait for Python's
lock, though: a thread that holds the lock and never gets a core would make it look dead after all.
"""

import os
import resource
from pathlib import Path
from time import monotonic, sleep

NICE = 15  # large pictures have less than the usual priority themselves
_AUTOGROUP = Path("/proc/self/autogroup")
_SCHEDSTAT = Path("/proc/thread-self/schedstat")
WAITED = 0.1
"""The share of its time that a thread waits for a core, from which on others are in need of it."""

PAUSE, LONGEST_PAUSE = 3.0, 1.0
"""Of the time since the last one, and seconds."""

IMPOLITE = "_N2N_IMPOLITE"
"""Environment variable with which trainers yield to nobody. For tests: they wait for trainers."""


def cores() -> int:
    """The CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Half of the cores: threads at the lowest priority still share caches and memory with requests."""
    return max(1, cores() // 2)


def default_memory() -> int:
    """Half of the machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def limit_memory(size: int) -> None:
    """Let this process have ``size`` bytes of its own; beyond that, allocations fail.

    Of data, not of addresses: CUDA reserves addresses by the terabyte.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    size = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (size, hard))


def yield_to_others() -> None:
    """Give this thread, and those that it starts, a low priority, as far as the system lets us."""
    if os.environ.get(IMPOLITE):
        return
    os.nice(NICE)
    try:  # where sessions share the cores evenly, the priority within one of them does not matter
        _AUTOGROUP.write_text(str(NICE))
    except OSError:
        return


class Courtesy:
    """Pauses a thread that works on in small steps, while others want the cores.

    A priority alone gives it the moments between two requests, and in them it empties the caches
    that the next one needs. Where the system does not tell (other than Linux), nothing is done.
    """

    def __init__(self) -> None:
        self._before = monotonic(), _waited()

    def pause(self) -> None:
        """Between two steps: sleep for some times as long as the step took, if it was kept waiting."""
        if os.environ.get(IMPOLITE):
            return
        (began, waited), now = self._before, monotonic()
        if _waited() - waited > WAITED * (now - began):
            sleep(min(PAUSE * (now - began), LONGEST_PAUSE))
        self._before = monotonic(), _waited()


def _waited() -> float:
    """Seconds that this thread has been ready to run, and was not."""
    try:
        return int(_SCHEDSTAT.read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
