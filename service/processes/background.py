"""Work beside the requests, in a process of its own: what needs torch, or seconds of a core.

The service's own process does without torch, which takes more memory than all else in it. This one is
started when there is work, ends when there has been none for a while, and has a low priority: requests go
first. It leads a session of its own, so that Ctrl-C is for the service alone, and ends with the service.
"""

from __future__ import annotations

import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, ParamSpec, TypeVar

from n2n_core.device import set_threads
from n2n_core.errors import N2NError
from n2n_core.image import libtiff
from service.processes.limits import limit_memory

P = ParamSpec("P")
T = TypeVar("T")

NICE = 10
"""A tenth of a core that others want, too: somebody waits for the answer, however busy the machine is."""

IDLE_SECONDS = 30.0
"""To start it again takes a second or two, most of it for torch."""


class AsideDiedError(RuntimeError):
    """The process ended in the middle of its work, or the service ends."""


class Aside:
    """The process, and the line to it. Thread-safe: calls wait for each other.

    Args:
        idle_seconds: without work, until it ends.
        memory: bytes that it may have; beyond that, allocations fail.
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS, memory: int | None = None) -> None:
        self.idle_seconds, self.memory = idle_seconds, memory
        self._calling, self._closed = threading.Lock(), False
        self._child: _Child | None = None
        self._timer: threading.Timer | None = None

    def run(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What a module's function gives there; all that it takes and gives is pickled.

        Raises:
            AsideDiedError: the process ended; the next call starts another one.
            Exception: what the function raises, of the same class, with the same message.
        """
        with self._calling:
            child = self._begin()
            try:
                good, value = child.ask((function, arguments, options))
            except (EOFError, OSError) as error:
                self._end()
                raise AsideDiedError(f"the process that does {function.__name__} ended") from error
            finally:
                self._end_later()
        if not good:
            raise value
        result: T = value
        return result

    def rest(self) -> None:
        """End the process now: nothing more is expected for a while."""
        with self._calling:
            self._end()

    def close(self) -> None:
        """End the process, whatever it does; what waits for it fails."""
        self._closed = True
        if child := self._child:
            child.end()

    def _begin(self) -> _Child:
        if self._closed:
            raise AsideDiedError("the service is stopping")
        if self._timer:
            self._timer.cancel()
        self._child = self._child or _Child(self.memory)
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
            if self._timer is threading.current_thread():  # else there was a call meanwhile
                self._end()


class _Child:
    """The process, seen from the service."""

    def __init__(self, memory: int | None) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno()), str(memory or 0)]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True)  # noqa: S603
        self._line = Connection(ours.detach())
        self.end = weakref.finalize(self, _kill, process)

    def ask(self, message: Any) -> Any:
        """The answer to a message.

        Raises:
            EOFError, OSError: the process is gone.
        """
        self._line.send(message)
        return pickle.loads(self._line.recv_bytes())  # noqa: S301 (of a process of ours)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it, whatever it does: what it writes is written wholly or not at all."""
    process.kill()
    process.wait()


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> bytes:
    """The pickled result, or the error, with its traceback if it is not one of ours."""
    try:
        return pickle.dumps((True, function(*arguments, **options)))
    except Exception as error:
        if not isinstance(error, N2NError):
            error.add_note(traceback.format_exc())
        try:
            answer = pickle.dumps((False, error))
            pickle.loads(answer)  # noqa: S301 (see whether it can be)
        except Exception:
            return pickle.dumps((False, RuntimeError(traceback.format_exc())))
        return answer


def _end_with(descriptor: int) -> None:
    """End this process when the other end of the line is gone, amid work too: nobody waits for it."""
    line = select.poll()
    line.register(descriptor, 0)  # tells of hang-ups, whatever it is asked for
    line.poll()
    os._exit(0)


def main(descriptor: int, memory: int) -> None:
    """Answer calls until the service hangs up."""
    threading.Thread(target=_end_with, args=(descriptor,), daemon=True).start()
    os.nice(NICE)
    libtiff.silence()
    if memory:
        limit_memory(memory)
    set_threads(1)
    line = Connection(descriptor)
    while True:
        try:
            function, arguments, options = line.recv()
        except (EOFError, OSError):
            return
        line.send_bytes(_answer(function, arguments, options))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
