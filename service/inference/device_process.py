"""A device in a process of its own: networks run there, on pictures in memory that both sides share.

In one process, a network's many short operations and the event loop take Python's lock from each
other at every one of them, and neither keeps its core busy. A device process that dies is started
anew, its models with it; what it was at work on is run again.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from itertools import count
from math import prod
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from n2n_core.device import ASLEEP
from n2n_core.errors import WeightsError
from n2n_core.image import Pixels
from n2n_core.inference.tiling import Geometry, Pace
from service.processes.limits import cores

BRIEF, LONG = LANES = 0, 1
"""The lanes, of small requests and of all others, are the first two lines to a device process too, with
a thread there for each; further lines belong to them in turn, and one more is for all but batches."""

MOST_LINES = 4
"""Of a lane: batches that a CPU runs at once."""

Cores = Literal["all", "spare", "share"]
"""Those that a batch takes: all, all but one, or its line's share of them."""

LINE_FLOATS = 2**22
"""Of a batch in shared memory, in and out: several times what a CPU's batch or a GPU's tile needs."""

SERVER = "service.inference.device_worker"
END_SECONDS = 10

MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(2**27),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}
"""For glibc: keep what a batch has used for the next one. Given back to the system and got anew, a
page at a time, it took a quarter of a batch's time (variables of the environment go before these)."""

log = logging.getLogger("n2n.service")


class DeviceDiedError(RuntimeError):
    """The device's process ended in the middle of its work."""


class DeviceProcess:
    """The process of one device, started when it is first used.

    Batches are run by one event loop; models may be added and measured by any thread.

    Args:
        name: the device's, as torch calls it.
        threads: CPU threads of all batches of a kind together; torch's default if None.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        self.name, self.threads = name, threads
        self.lines = min(MOST_LINES, threads or cores()) if name == "cpu" else 1
        self._models: dict[int, Path] = {}
        self._numbers = count()
        self._starting = threading.Lock()
        self._control = threading.Lock()
        self._child: _Child | None = None

    def add(self, path: Path) -> tuple[int, Geometry]:
        """Load a weights file there; its number, and its network's geometry.

        Raises:
            WeightsError: it is no model, or not one of pictures of 3 channels.
        """
        number = next(self._numbers)
        self._models[number] = path
        try:
            geometry: Geometry = self.ask("load", number, path)
        except Exception:
            self.remove(number)
            raise
        return number, geometry

    def remove(self, number: int) -> None:
        """Forget a model: its memory is freed when another one is loaded, or measured."""
        self._models.pop(number, None)

    def measure(self, number: int) -> Pace:
        """Let a model measure its own speed."""
        pace: Pace = self.ask("measure", number, sorted(self._models))
        return pace

    async def run(self, line: int, number: int, batch: Pixels, cores: Cores, exact: bool = False) -> Pixels:
        """Run ``(N, 3, H, W)`` floats through a model; once more, if the process dies of whatever.

        A line runs one batch after the other.
        """
        try:
            return await self._run(line, number, batch, cores, exact)
        except DeviceDiedError:
            return await self._run(line, number, batch, cores, exact)

    async def _run(self, line: int, number: int, batch: Pixels, cores: Cores, exact: bool) -> Pixels:
        child = self._child
        if child is None:
            child = await asyncio.to_thread(self._started)
        inbox, outbox = child.memory.views(line, batch.shape)
        inbox[...] = batch
        try:
            await child.lines[line].call(("run", line, number, tuple(batch.shape), cores, exact))
        except (EOFError, OSError) as error:
            raise self._died(child) from error
        return outbox.copy()

    def ask(self, call: str, *arguments: Any) -> Any:
        """The answer to a call of ``device_worker.Server``'s, on the line that is not for batches; asked
        once more, if the process dies of whatever."""
        with self._control:
            try:
                return self._ask(call, *arguments)
            except DeviceDiedError:
                return self._ask(call, *arguments)

    def _ask(self, call: str, *arguments: Any) -> Any:
        child = self._started()
        try:
            return child.ask((call, *arguments))
        except (EOFError, OSError) as error:
            raise self._died(child) from error

    def resident_bytes(self) -> int:
        """Memory that the process holds; 0 while it does not run, or where this cannot be told."""
        child = self._child
        try:
            fields = Path(f"/proc/{child.process.pid}/statm").read_text() if child else "0 0"
        except OSError:
            return 0
        return int(fields.split()[1]) * mmap.PAGESIZE

    def close(self) -> None:
        """End the process."""
        with self._starting:
            child, self._child = self._child, None
        if child:
            child.end()

    def _started(self) -> _Child:
        with self._starting:
            if self._child is None:
                self._child = self._start()
            return self._child

    def _start(self) -> _Child:
        child = _Child(self.name, self.threads, self.lines)
        try:
            for number, path in list(self._models.items()):
                child.ask(("load", number, path))
        except Exception as error:
            child.end()
            if isinstance(error, EOFError | OSError):
                raise DeviceDiedError(f"the process of device {self.name} ended as it started") from error
            raise
        return child

    def _died(self, child: _Child) -> DeviceDiedError:
        if self._child is child:  # else another one may be starting, which the event loop must not wait for
            with self._starting:
                if self._child is child:
                    self._child = None
                    log.error("the process of device %s ended, another one is started", self.name)
                    child.end()
        return DeviceDiedError(f"the process of device {self.name} ended")


class RemoteDenoiser:
    """A model on a device that runs in a process of its own; for the scheduler, as a ``Denoiser`` is.

    Args:
        process: the device's.
        path: of the weights file; see ``DeviceProcess.add`` for the errors.
    """

    def __init__(self, process: DeviceProcess, path: Path) -> None:
        self.process, self.pace = process, Pace()
        self.number, self.geometry = process.add(path)
        weakref.finalize(self, process.remove, self.number)

    def calibrate(self) -> None:
        """Warm the network up, and measure its ``pace``."""
        self.pace = self.process.measure(self.number)

    @property
    def lines(self) -> int:
        """The device's for large requests."""
        return self.process.lines

    async def run(self, batch: Pixels, line: int, cores: Cores, exact: bool = False) -> Pixels:
        """Run ``(N, 3, H, W)`` floats."""
        return await self.process.run(line, self.number, batch, cores, exact)


class Memory:
    """Two stretches of shared memory for each line that runs batches: what goes in, what comes out."""

    def __init__(self, descriptor: int, lines: int) -> None:
        size = 2 * lines * LINE_FLOATS * 4
        os.ftruncate(descriptor, size)
        self._floats = np.frombuffer(mmap.mmap(descriptor, size), np.float32)

    def views(self, line: int, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
        """Both as arrays of ``shape``."""
        begin, size = line * 2 * LINE_FLOATS, prod(shape)
        if size > LINE_FLOATS:
            raise MemoryError(f"a batch has {size} values, at most {LINE_FLOATS} fit")
        parts = (self._floats[start : start + size] for start in (begin, begin + LINE_FLOATS))
        inbox, outbox = (part.reshape(shape) for part in parts)
        return inbox, outbox


class _Child:
    """A running device process, seen from the service."""

    def __init__(self, device: str, threads: int | None, lines: int) -> None:
        pairs = [socket.socketpair() for _ in range(len(LANES) * lines + 1)]
        with _anonymous_file() as file:
            self.memory = Memory(file.fileno(), len(LANES) * lines)
            passed = [*(theirs.fileno() for _, theirs in pairs), file.fileno()]
            command = [sys.executable, "-m", SERVER, device, str(threads or 0), *map(str, passed)]
            # In a session of its own: Ctrl-C is for the service, which ends this when its work is done.
            self.process = subprocess.Popen(  # noqa: S603
                command, pass_fds=passed, start_new_session=True, env=MEMORY | ASLEEP | os.environ
            )
        for _, theirs in pairs:
            theirs.close()
        *connections, self._control = (Connection(ours.detach()) for ours, _ in pairs)
        self.lines = [_Line(line) for line in connections]
        self._finalizer = weakref.finalize(self, _end, self.process, self._control)

    def ask(self, message: tuple[Any, ...]) -> Any:
        """The result of a call.

        Raises:
            EOFError, OSError: the process is gone.
        """
        self._control.send(message)
        return _value(self._control.recv())

    def end(self) -> None:
        """Hang up, upon which it ends, and wait for it."""
        for line in self.lines:
            line.leave()
        self._finalizer()


class _Line:
    """A line to a device's process, on which an event loop waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reply: asyncio.Future[Any] | None = None

    async def call(self, message: tuple[Any, ...]) -> Any:
        """The result of a call.

        Raises:
            EOFError, OSError: the process is gone.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            loop.add_reader(self._connection.fileno(), self._read)
            self._loop = loop
        self._connection.send(message)
        self._reply = loop.create_future()
        return _value(await self._reply)

    def leave(self) -> None:
        """Hang up, upon which a call under way fails; any thread may do this."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hang_up)  # it watches the line until then
        else:
            self._connection.close()

    def _read(self) -> None:
        try:
            value = self._connection.recv()
        except (EOFError, OSError):
            self._hang_up()
        else:
            reply, self._reply = self._reply, None
            if reply and not reply.done():
                reply.set_result(value)

    def _hang_up(self) -> None:
        if self._loop and not self._connection.closed:
            self._loop.remove_reader(self._connection.fileno())
            self._connection.close()
        if self._reply and not self._reply.done():
            self._reply.set_exception(EOFError("the line is closed"))


def _value(reply: tuple[bool, Any]) -> Any:
    good, value = reply
    if good:
        return value
    kind, text = value
    raise {"memory": MemoryError, "weights": WeightsError}.get(kind, RuntimeError)(text)


def _anonymous_file() -> IO[bytes]:
    """A file in memory, where the system has such, that is gone when nobody holds it."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("n2n"), "r+b")
    return tempfile.TemporaryFile()


def _end(process: subprocess.Popen[bytes], line: Connection) -> None:
    line.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
