"""Child processes: how they are started, asked for work, and ended.

A child is ``python -m MODULE LINES ARGUMENTS...`` in a session of its own, so a terminal's Ctrl-C does not
reach it. ``LINES`` names the sockets that it inherits, for example ``5,6``. On each of them the parent sends
a request, ``(arguments, options)``, and the child sends one reply, ``(succeeded, value or error)``. Both are
pickled: nobody else can write to these sockets.

Parent and child cannot outlive each other. ``Child.end`` kills the child, and so does the garbage collector
when nothing refers to the ``Child`` any more. When the parent is gone, even by ``kill -9``, the sockets hang
up and a thread in the child ends it (``connect``).
"""

from __future__ import annotations

import asyncio
import os
import pickle
import select
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from n2n_core.errors import N2NError


class ChildDiedError(RuntimeError):
    """The child process ended before it replied; ``status`` is its exit status, if that is known."""

    status: int | None = None


def start(module: str, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Start ``python -m module`` in a new session; ``options`` are those of ``subprocess.Popen``."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)  # noqa: S603


class Child:
    """A child process that answers requests, and ends with this one.

    Args:
        module: what it runs. Its ``main`` calls ``connect``, and ``serve`` for each line.
        arguments: those of its command line, after the lines.
        name: for error messages, for example "the process of device cpu".
        lines: number of connections. Each carries one request at a time.
        descriptors: further file descriptors that it inherits under the same numbers.
        environment: its environment variables; this process's own if None.
    """

    def __init__(
        self,
        module: str,
        *arguments: object,
        name: str,
        lines: int = 1,
        descriptors: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        pairs = [socket.socketpair() for _ in range(lines)]
        numbers = [end.fileno() for _, end in pairs]
        passed = [*numbers, *descriptors]
        self.process = start(
            module, ",".join(map(str, numbers)), *arguments, pass_fds=passed, env=environment
        )
        for _, end in pairs:
            end.close()
        self.lines = [Line(Connection(end.detach()), name) for end, _ in pairs]
        self.end = weakref.finalize(self, _kill, self.process)
        """Kill the process and reap it, from any thread. Requests under way raise ``ChildDiedError``."""


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # at once: a child has nothing to tidy up, its files are written whole or not at all
    process.wait()


class Line:
    """The parent's end of one connection to a child. It carries one request at a time."""

    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._connection = connection
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reply: asyncio.Future[tuple[bool, Any]] | None = None

    @property
    def waits(self) -> bool:
        """Whether a ``call`` waits for its reply."""
        return self._reply is not None

    def ask(self, *arguments: Any, **options: Any) -> Any:
        """Send a request and block until the reply is here.

        Raises:
            ChildDiedError: the child ended before it replied.
            Exception: what the child raised, with the same class and message.
        """
        request = pickle.dumps((arguments, options))
        try:
            self._connection.send_bytes(request)
            reply = self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise self._died() from error
        return _value(pickle.loads(reply))  # noqa: S301 (sent by our own child)

    async def call(self, *arguments: Any, **options: Any) -> Any:
        """Send a request and wait for the reply on the event loop; the same errors as of ``ask``.

        A call that was cancelled leaves its reply on the line, so the line must not be used again.
        """
        request, loop = pickle.dumps((arguments, options)), asyncio.get_running_loop()
        try:
            if self._loop is not loop:
                loop.add_reader(self._connection.fileno(), self._read)
                self._loop = loop
            self._connection.send_bytes(request)
        except OSError as error:
            raise self._died() from error
        self._reply = loop.create_future()
        return _value(await self._reply)

    def _read(self) -> None:
        """Receive what the event loop has noticed: a reply, or the child's end."""
        reply, self._reply = self._reply, None
        try:
            received = self._connection.recv_bytes()
        except (EOFError, OSError):
            assert self._loop
            self._loop.remove_reader(self._connection.fileno())
            self._connection.close()
            if reply and not reply.done():
                reply.set_exception(self._died())
        else:
            if reply and not reply.done():
                reply.set_result(pickle.loads(received))  # noqa: S301 (sent by our own child)

    def _died(self) -> ChildDiedError:
        return ChildDiedError(f"{self.name} ended")


def _value(reply: tuple[bool, Any]) -> Any:
    succeeded, value = reply
    if not succeeded:
        raise value
    return value


def connect(lines: str) -> list[Connection]:
    """Return the child's ends of its lines, by the first argument of its command line.

    From here on, the process ends as soon as the parent hangs up, even in the middle of its work.
    """
    connections = [Connection(int(number)) for number in lines.split(",")]
    threading.Thread(target=_end_with_parent, args=(connections[0].fileno(),), daemon=True).start()
    return connections


def _end_with_parent(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # hang-ups are reported whatever is asked for
    poll.poll()
    os._exit(0)


def serve(line: Connection, function: Callable[..., Any]) -> None:
    """Answer requests with ``function(*arguments, **options)`` until the parent hangs up."""
    while True:
        try:
            request = line.recv_bytes()
            line.send_bytes(_reply(function, request))
        except (EOFError, OSError):
            return


def _reply(function: Callable[..., Any], request: bytes) -> bytes:
    """Return the pickled result, or the error. Errors that are not ours carry their traceback as a note."""
    try:
        arguments, options = pickle.loads(request)  # noqa: S301 (sent by our own parent)
        return pickle.dumps((True, function(*arguments, **options)))
    except Exception as error:
        sent = _portable(error)
        if not isinstance(sent, N2NError):
            sent.add_note(traceback.format_exc())
        return pickle.dumps((False, sent))


def _portable(error: Exception) -> Exception:
    """Return the error, or its words as a ``RuntimeError`` if the parent cannot load it without torch."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (made a moment ago)
        is_portable = type(error).__module__.partition(".")[0] != "torch"
    except Exception:
        is_portable = False
    return error if is_portable else RuntimeError(f"{type(error).__name__}: {error}")
