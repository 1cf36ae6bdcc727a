"""A background process for work that needs torch or takes seconds: imports, thumbnails, checks, conversions.

The service's own process does without torch, which would take more memory than everything else in it. The
background process starts when there is work, ends after some idle time, and has a low priority, so requests
go first.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from n2n_core.device import set_threads
from n2n_core.image import libtiff
from service.processes.child import Child, ChildDiedError, connect, serve
from service.processes.limits import limit_memory
from service.processes.watchdog import watched

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10
"""Gets about a tenth of a core that others want, too. Somebody waits for the result, so it is never 0."""

IDLE_SECONDS = 30.0
"""Starting the process again takes a second or two, most of it to import torch."""


STOPPING = "the service is stopping"


class AbortedError(ChildDiedError):
    """Nobody wants the result of the call any more: it was aborted, or the service is stopping."""


class BackgroundProcess:
    """Runs functions in another process, one at a time. Thread-safe: concurrent calls wait their turn.

    A process that is stopped, or takes too long, is killed.

    Args:
        idle_seconds: time without work after which the process ends.
        memory: bytes that the process may allocate; beyond that, allocations fail. None for no limit.
        seconds: that one call may take, with the start of the process if it does not run. None for no limit.
    """

    def __init__(
        self, idle_seconds: float = IDLE_SECONDS, memory: int | None = None, seconds: float | None = None
    ) -> None:
        self.idle_seconds, self.memory, self.seconds = idle_seconds, memory, seconds
        self._calling = threading.Lock()
        self._aborted = self._closed = False
        self._child: Child | None = None
        self._timer: threading.Timer | None = None

    def run(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Return ``function(*arguments, **options)``, computed by the process. Everything is pickled.

        Raises:
            AbortedError: the call was aborted, or the process is closed.
            ChildDiedError: the process ended, or was killed by the watchdog, which has kinds of its own. The
                next call starts another one.
            Exception: what the function raises, with the same class and message.
        """
        with self._calling:
            child = self._start()
            try:
                self._check_wanted()  # again: whoever aborted it meanwhile may not have seen the child
                with watched(child, self.seconds):
                    result: T = child.lines[0].ask(function, *arguments, **options)
            except ChildDiedError as error:
                self._end()
                self._check_wanted()
                died = type(error)(f"{error} while it ran {function.__name__}")
                died.status = child.process.returncode
                raise died from error
            finally:
                self._end_later()
        return result

    def stop(self) -> None:
        """End the process now, after the call under way; the next call starts another one."""
        with self._calling:
            self._end()

    def abort(self) -> None:
        """End the process now. A call under way, and later ones until ``resume``, raise ``AbortedError``."""
        self._aborted = True
        if child := self._child:
            child.end()

    def resume(self) -> None:
        """Take calls again after ``abort``."""
        self._aborted = False

    def close(self) -> None:
        """End the process for good. Calls under way, and later ones, raise ``AbortedError``."""
        self._closed = True
        self.abort()

    def _check_wanted(self) -> None:
        if self._closed:
            raise AbortedError(STOPPING)
        if self._aborted:
            raise AbortedError("nobody waits for the result any more")

    def _start(self) -> Child:
        self._check_wanted()
        if self._timer:
            self._timer.cancel()
        if self._child is None:
            self._child = Child(__name__, self.memory or 0, name="the background process")
        return self._child

    def _end(self) -> None:
        if self._child:
            self._child.end()
            self._child = None

    def _end_later(self) -> None:
        self._timer = threading.Timer(self.idle_seconds, self._end_idle)
        self._timer.daemon = True
        self._timer.start()

    def _end_idle(self) -> None:
        with self._calling:
            if self._timer is threading.current_thread():  # otherwise there was a call in the meantime
                self._end()


def _call(function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
    return function(*arguments, **options)


def main(lines: str, memory: str) -> None:
    """Run functions until the service hangs up."""
    (line,) = connect(lines)
    os.nice(NICE)
    libtiff.silence()
    if int(memory):
        limit_memory(int(memory))
    set_threads(1)
    serve(line, _call)


if __name__ == "__main__":
    main(*sys.argv[1:])
