"""A process counts as starved if it could run but gets no core, and only then."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from service.processes.starvation import is_starved

SPIN = "import os, sys\nos.nice(int(sys.argv[1]))\nprint(flush=True)\nwhile True: pass"
SLEEP = "import time\nprint(flush=True)\ntime.sleep(600)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process waits for")


@pytest.fixture
def children() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(children: ExitStack, code: str, *arguments: str) -> int:
    """A process that does ``code``, on one core, the same for all."""
    command = [sys.executable, "-c", code, *arguments]
    child = children.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
    children.callback(child.kill)
    os.sched_setaffinity(child.pid, {min(os.sched_getaffinity(0))})
    assert child.stdout
    child.stdout.readline()
    return child.pid


def until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + 60
    while not holds():
        assert monotonic() < deadline


def test_who_gives_way_to_others_all_the_time_is_starved(children: ExitStack) -> None:
    pid = start(children, SPIN, "19")
    for _ in range(3):
        start(children, SPIN, "0")
    until(lambda: is_starved(pid))
    os.kill(pid, signal.SIGSTOP)  # which it hears when it runs the next time
    until(lambda: not is_starved(pid))
    assert not any(is_starved(pid) for _ in range(5))


def test_who_sleeps_or_is_gone_is_not_starved(children: ExitStack) -> None:
    pid = start(children, SLEEP)
    assert not any(is_starved(pid) for _ in range(5))
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not is_starved(child.pid)
