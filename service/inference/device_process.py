"""Run a device in its own process. Networks run there, on pictures in shared memory.

In one process, the many short operations of a network and the event loop would compete for Python's lock, and
neither would keep its core busy. When a device process dies, another one is started with the
same models, and runs the batches again that were under way. One that is stopped, or takes far too long, is
killed. A model that cannot be loaded, or that ends the process again and again, is left out: the others go
on. ``lines`` explains what a line is. One more connection, the control line, carries everything but batches.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from math import prod
from pathlib import Path
from typing import Any

from n2n_core.device import ASLEEP
from n2n_core.errors import WeightsError
from n2n_core.image import Pixels
from n2n_core.inference.tiling import Geometry, Throughput
from service.exceptions import RefusedError
from service.inference.lines import LANES, Cores, lines_per_lane
from service.inference.shared_memory import BatchMemory
from service.inference.suspects import Suspects
from service.processes.child import Child, ChildDiedError
from service.processes.memory_file import anonymous_file
from service.processes.watchdog import ChildLateError, watched, watched_line

WORKER = "service.inference.device_worker"

MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": str(2**27),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
}
"""Settings of glibc that keep the memory of a batch for the next one. Returning it to the system, and getting
it anew page by page, took a quarter of a batch's time. Environment variables of the user go before these."""

UNMEASURED = "_N2N_UNMEASURED"
"""Environment variable with which models keep the default throughput. For tests, which start many devices."""

TRIES = 3
"""How often a batch is run if the process dies meanwhile."""

START_SECONDS, LOAD_SECONDS, MEASURE_SECONDS = 120.0, 60.0, 120.0
"""Longest time to start a process, and to load and measure a model."""

LEAST_SECONDS, MOST_SECONDS, PATIENCE = 20.0, 300.0, 30.0
"""Longest time of a batch: its expected time times ``PATIENCE``, within these bounds. Other lines, and other
processes, share the cores, and the first batch of a kind takes longer on a GPU."""

log = logging.getLogger("n2n.service")


class StartError(ChildDiedError):
    """The process of a device ends, or hangs, before it has any model."""


class DeviceProcess:
    """The process of one device. It starts when it is first used.

    Batches are run by one event loop. Any thread may add and measure models.

    Args:
        name: the device's name in torch, for example ``cpu`` or ``cuda:0``.
        threads: CPU threads of all batches together; torch's default if None.
    """

    def __init__(self, name: str, threads: int | None = None) -> None:
        self.name, self.threads = name, threads
        self.lines = lines_per_lane(name, threads)
        self.suspects = Suspects()
        self._models: dict[int, tuple[Path, str]] = {}
        self._lost: dict[int, str] = {}
        self._numbers = count()
        self._starting = threading.Lock()
        self._control = threading.Lock()
        self._starters = ThreadPoolExecutor(len(LANES) * self.lines, thread_name_prefix="start")
        self._child: _DeviceChild | None = None

    def add(self, path: Path, sha256: str) -> tuple[int, Geometry]:
        """Load a weights file there. Return the number that it gets, and the geometry of its network.

        Raises:
            WeightsError: the file is no model, not the one with this hash, or its network is beyond a limit
                or does not take 3 channels.
            StartError: the process cannot be started.
            ChildDiedError: loading the model ends the process, or takes too long.
        """
        number = next(self._numbers)
        self._models[number] = path, sha256
        try:
            geometry: Geometry = self.ask("load", number, path, sha256, seconds=LOAD_SECONDS)
        except Exception:
            self.remove(number)
            raise
        return number, geometry

    def remove(self, number: int) -> None:
        """Forget a model. Its memory is freed when another one is measured."""
        self._models.pop(number, None)
        self._lost.pop(number, None)
        self.suspects.forget(number)

    def loss(self, number: int) -> str | None:
        """Return why a model could not be loaded again when the process was started again; None if it was."""
        return self._lost.get(number)

    def measure(self, number: int) -> Throughput:
        """Let a model measure its own speed; see ``add`` for the errors.

        Raises:
            MemoryError: the device has not enough memory for it.
        """
        wanted = sorted(self._models)
        throughput: Throughput = self.ask("measure", number, wanted, seconds=MEASURE_SECONDS)
        return throughput

    async def run(
        self, line: int, number: int, batch: Pixels, cores: Cores, exact: bool = False, expected: float = 0.0
    ) -> Pixels:
        """Run ``(N, 3, H, W)`` floats through a model; again if the process dies meanwhile.

        Each line runs one batch at a time.

        Args:
            expected: seconds that it should take, on all cores and undisturbed.

        Raises:
            RefusedError: the model could not be loaded again, or is kept out.
            ChildLateError: the batch took too long.
            ChildDiedError: the process died each time.
        """
        seconds = min(MOST_SECONDS, max(LEAST_SECONDS, PATIENCE * expected))
        for left in reversed(range(TRIES)):
            try:
                async with self.suspects.working(number):
                    return await self._run(line, number, batch, cores, exact, seconds)
            except ChildLateError:
                raise
            except ChildDiedError:
                if not left:
                    raise
        raise AssertionError

    async def _run(
        self, line: int, number: int, batch: Pixels, cores: Cores, exact: bool, seconds: float
    ) -> Pixels:
        child = self._child
        if child is None:
            child = await asyncio.get_running_loop().run_in_executor(self._starters, self._started)
        if lost := self.loss(number):
            raise RefusedError("unavailable", f"the model cannot be loaded again: {lost}", 1)
        shared, result = child.memory.views(line, batch.shape)
        shared[...] = batch
        connection = child.lines[line]
        try:
            with watched_line(child, connection, seconds):
                await connection.call("run", line, number, batch.shape, cores, exact)
        except ChildDiedError as error:
            self._forget(child, error)
            raise
        return result.copy()

    def ask(self, method: str, *arguments: Any, seconds: float) -> Any:
        """Call a method of ``device_worker.Worker`` on the control line; once more if the process dies."""
        with self._control:
            try:
                return self._ask(method, *arguments, seconds=seconds)
            except ChildLateError:
                raise
            except ChildDiedError:
                return self._ask(method, *arguments, seconds=seconds)

    def _ask(self, method: str, *arguments: Any, seconds: float) -> Any:
        child = self._started()
        number, *_ = arguments
        if lost := self.loss(number):
            raise WeightsError(lost)
        try:
            return child.ask(method, *arguments, seconds=seconds)
        except ChildDiedError as error:
            self._forget(child, error)
            raise

    def resident_bytes(self) -> int:
        """Return the memory that the process holds; 0 while it does not run, or if that is unknown."""
        child = self._child
        try:
            fields = Path(f"/proc/{child.process.pid}/statm").read_text() if child else "0 0"
        except OSError:
            return 0
        return int(fields.split()[1]) * mmap.PAGESIZE

    def close(self) -> None:
        """End the process. Whoever uses the device afterwards starts another one."""
        with self._starting:
            child, self._child = self._child, None
        if child:
            child.end()

    def _started(self) -> _DeviceChild:
        with self._starting:
            if self._child is None:
                self._child = self._start()
            return self._child

    def _start(self) -> _DeviceChild:
        """Start a process, and load the models there, but those that fail."""
        child = self._start_empty()
        for number, (path, sha256) in list(self._models.items()):
            if number in self._lost:
                continue
            try:
                child.ask("load", number, path, sha256, seconds=LOAD_SECONDS)
            except ChildDiedError as error:
                self._lose(number, error)
                child.end()
                return self._start()
            except Exception as error:
                self._lose(number, error)
        return child

    def _start_empty(self) -> _DeviceChild:
        child = _DeviceChild(self.name, self.threads, len(LANES) * self.lines)
        try:
            child.ask("answer", seconds=START_SECONDS)
        except ChildDiedError as error:
            child.end()
            raise StartError(f"{error} at its start") from error
        return child

    def _lose(self, number: int, error: Exception) -> None:
        self._lost[number] = str(error)
        log.error("device %s: a model cannot be loaded: %s", self.name, error)

    def _forget(self, dead: _DeviceChild, error: ChildDiedError) -> None:
        if self._child is dead:  # else another one may be starting, for which the event loop must not wait
            with self._starting:
                if self._child is dead:
                    self._child = None
                    log.error("%s, another one is started", error)
                    for number in self.suspects.died():
                        path, _ = self._models.get(number, (None, ""))
                        log.error("%s is kept out: it ends the process of device %s", path, self.name)
                    dead.end()


class _DeviceChild(Child):
    """A running device process: its lines for batches, the control line, and the shared memory."""

    def __init__(self, device: str, threads: int | None, batches: int) -> None:
        with anonymous_file() as file:
            self.memory = BatchMemory(file.fileno(), batches)
            super().__init__(
                WORKER, file.fileno(), device, threads or 0, name=f"the process of device {device}",
                lines=batches + 1, descriptors=[file.fileno()], environment=MALLOC | ASLEEP | os.environ,
            )  # fmt: skip
        self.control = self.lines[-1]

    def ask(self, method: str, *arguments: Any, seconds: float) -> Any:
        """Call a method of ``device_worker.Worker`` on the control line, within so many seconds."""
        with watched(self, seconds):
            return self.control.ask(method, *arguments)


class RemoteDenoiser:
    """A model on a device process, as a ``Denoiser`` for the scheduler.

    Args:
        process: of the device.
        path: of the weights file. Raises the errors of ``DeviceProcess.add``.
        sha256: of the file.
    """

    def __init__(self, process: DeviceProcess, path: Path, sha256: str) -> None:
        self.process, self.sha256, self.throughput = process, sha256, Throughput()
        self.number, self.geometry = process.add(path, sha256)
        weakref.finalize(self, process.remove, self.number)

    def calibrate(self) -> None:
        """Warm the network up and measure its ``throughput``."""
        self.throughput = self.process.measure(self.number)

    @property
    def lines(self) -> int:
        """Batches of one lane that the device runs at once."""
        return self.process.lines

    async def run(self, batch: Pixels, line: int, cores: Cores, exact: bool = False) -> Pixels:
        """Run ``(N, 3, H, W)`` floats; see ``DeviceProcess.run`` for the errors."""
        expected = prod(batch.shape) / batch.shape[1] * self.throughput.seconds_per_pixel
        return await self.process.run(line, self.number, batch, cores, exact, expected)

    @property
    def loss(self) -> str | None:
        """Why the model is not in the device's memory any more; None if it is."""
        return self.process.loss(self.number)
