"""Ends a child that is stopped, or that takes too long, so that whoever waits for it does not wait forever.

A process that was killed hangs up, which is noticed at once. One that was stopped (``SIGSTOP``), or that is
caught in an endless loop, keeps its connections and says nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from service.processes.child import Child, ChildDiedError, Line

LOOK_SECONDS = 1.0
"""Seconds between two looks at a child that is at work."""


class ChildStoppedError(ChildDiedError):
    """The child was stopped by somebody, so it was killed."""


class ChildLateError(ChildDiedError):
    """The child took too long, so it was killed."""


def is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped the process, as Linux reports it; False on other systems."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state == "T"


class Watch:
    """Looks after one call to a child.

    Args:
        seconds: that the call may take; None for any time.
    """

    def __init__(self, child: Child, seconds: float | None) -> None:
        self.child, self.seconds, self.began = child, seconds, monotonic()
        self.verdict: type[ChildDiedError] | None = None

    def look(self) -> bool:
        """Kill the child if it is stopped or late, and return whether it was."""
        if self.seconds is not None and monotonic() - self.began >= self.seconds:
            self.verdict = ChildLateError
        elif is_stopped(self.child.process.pid):
            self.verdict = ChildStoppedError
        else:
            return False
        self.child.process.kill()
        return True

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        if self.seconds is None:
            return LOOK_SECONDS
        return max(0.0, min(LOOK_SECONDS, self.began + self.seconds - monotonic()))

    @contextmanager
    def told(self) -> Iterator[None]:
        """Say why, if the child was killed by a look within the block.

        Raises:
            ChildStoppedError, ChildLateError: in place of a ``ChildDiedError``.
        """
        try:
            yield
        except ChildDiedError as error:
            if self.verdict is ChildStoppedError:
                raise ChildStoppedError(f"{error}: it was stopped, and therefore killed") from error
            if self.verdict is ChildLateError:
                raise ChildLateError(f"{error}: it was killed after {self.seconds:g} s") from error
            raise


@contextmanager
def watched(child: Child, seconds: float | None) -> Iterator[None]:
    """Watch the child from a thread, while this one blocks."""
    watch, done = Watch(child, seconds), threading.Event()

    def look() -> None:
        while not done.wait(watch.pause) and not watch.look():
            pass

    threading.Thread(target=look, name="watchdog", daemon=True).start()
    try:
        with watch.told():
            yield
    finally:
        done.set()


@contextmanager
def watched_line(child: Child, line: Line, seconds: float | None) -> Iterator[None]:
    """Watch the child from the event loop, while a coroutine waits for the line's reply."""
    watch = _LineWatch(child, line, seconds)
    try:
        with watch.told():
            yield
    finally:
        watch.timer.cancel()


class _LineWatch(Watch):
    """Looks by timers of the event loop."""

    def __init__(self, child: Child, line: Line, seconds: float | None) -> None:
        super().__init__(child, seconds)
        self.line, self.loop = line, asyncio.get_running_loop()
        self.timer = self.loop.call_later(self.pause, self._look)

    def _look(self) -> None:
        if self.line.waits and not self.look():  # otherwise the reply is here, and only the loop is late
            self.timer = self.loop.call_later(self.pause, self._look)
