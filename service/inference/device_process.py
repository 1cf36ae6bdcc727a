"""Run a device in its own process. Networks run there, on pictures in shared memory.

In one process, the many short operations of a network and the event loop would compete for Python's lock, and
neither would keep its core busy. When a device process dies, another one is started with the
same models, and runs the batches again that were under way. ``lines`` explains what a line is. One more
connection, the control line, carries everything but batches.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import os
import threading
import weakref
from itertools import count
from pathlib import Path
from typing import Any

from n2n_core.device import ASLEEP
from n2n_core.image import Pixels
from n2n_core.inference.tiling import Geometry, Throughput
from service.inference.lines import LANES, Cores, lines_per_lane
from service.inference.shared_memory import BatchMemory, anonymous_file
from service.processes.child import Child, ChildDiedError

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

log = logging.getLogger("n2n.service")


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
        self._models: dict[int, Path] = {}
        self._numbers = count()
        self._starting = threading.Lock()
        self._control = threading.Lock()
        self._child: _DeviceChild | None = None

    def add(self, path: Path) -> tuple[int, Geometry]:
        """Load a weights file there. Return the number that it gets, and the geometry of its network.

        Raises:
            WeightsError: the file is no model, or its network does not take 3 channels.
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
        """Forget a model. Its memory is freed when another one is measured."""
        self._models.pop(number, None)

    def measure(self, number: int) -> Throughput:
        """Let a model measure its own speed."""
        throughput: Throughput = self.ask("measure", number, sorted(self._models))
        return throughput

    async def run(self, line: int, number: int, batch: Pixels, cores: Cores, exact: bool = False) -> Pixels:
        """Run ``(N, 3, H, W)`` floats through a model; once more if the process dies meanwhile.

        Each line runs one batch at a time.
        """
        try:
            return await self._run(line, number, batch, cores, exact)
        except ChildDiedError:
            return await self._run(line, number, batch, cores, exact)

    async def _run(self, line: int, number: int, batch: Pixels, cores: Cores, exact: bool) -> Pixels:
        child = self._child
        if child is None:
            child = await asyncio.to_thread(self._started)
        shared, result = child.memory.views(line, batch.shape)
        shared[...] = batch
        try:
            await child.lines[line].call("run", line, number, batch.shape, cores, exact)
        except ChildDiedError:
            self._forget(child)
            raise
        return result.copy()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Call a method of ``device_worker.Worker`` on the control line; once more if the process dies."""
        with self._control:
            try:
                return self._ask(method, *arguments)
            except ChildDiedError:
                return self._ask(method, *arguments)

    def _ask(self, method: str, *arguments: Any) -> Any:
        child = self._started()
        try:
            return child.control.ask(method, *arguments)
        except ChildDiedError:
            self._forget(child)
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
        child = _DeviceChild(self.name, self.threads, len(LANES) * self.lines)
        try:
            for number, path in list(self._models.items()):
                child.control.ask("load", number, path)
        except Exception:
            child.end()
            raise
        return child

    def _forget(self, dead: _DeviceChild) -> None:
        if self._child is dead:  # else another one may be starting, for which the event loop must not wait
            with self._starting:
                if self._child is dead:
                    self._child = None
                    log.error("the process of device %s ended, another one is started", self.name)
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


class RemoteDenoiser:
    """A model on a device process, as a ``Denoiser`` for the scheduler.

    Args:
        process: of the device.
        path: of the weights file. Raises the errors of ``DeviceProcess.add``.
    """

    def __init__(self, process: DeviceProcess, path: Path) -> None:
        self.process, self.throughput = process, Throughput()
        self.number, self.geometry = process.add(path)
        weakref.finalize(self, process.remove, self.number)

    def calibrate(self) -> None:
        """Warm the network up and measure its ``throughput``."""
        self.throughput = self.process.measure(self.number)

    @property
    def lines(self) -> int:
        """Batches of one lane that the device runs at once."""
        return self.process.lines

    async def run(self, batch: Pixels, line: int, cores: Cores, exact: bool = False) -> Pixels:
        """Run ``(N, 3, H, W)`` floats."""
        return await self.process.run(line, self.number, batch, cores, exact)
