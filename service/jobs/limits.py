"""What a trainer may take of its machine.

On Linux a priority is a thread's, and threads inherit it: the heartbeat, which starts first, keeps
its own, so that a busy machine does not make its job look dead.
"""

import os
import resource
from pathlib import Path

NICE = 19  # large pictures have less than the usual priority themselves
_AUTOGROUP = Path("/proc/self/autogroup")


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
    os.nice(NICE)
    if hasattr(os, "SCHED_IDLE"):
        # It never keeps a request waiting: to the scheduler, a core that does this alone is a free one.
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:  # where sessions share the cores evenly, the priority within one of them does not matter
        _AUTOGROUP.write_text(str(NICE))
    except OSError:
        return
