"""The process of a device: ``python -m service.inference.device_worker``, started by ``device_process``."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

from n2n_core.device import is_out_of_memory, set_threads
from n2n_core.errors import N2NError
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.tiling import Geometry, Pace
from service.inference.device_process import LANES, LONG, Cores, Memory

LONG_NICE = 5
"""Of the threads that run large pictures' tiles, each by itself as Linux has it: small ones go first."""


class Server:
    """A thread for each line, which answers one call after the other."""

    def __init__(self, device: str, memory: Memory, lines: int) -> None:
        self.device, self.memory = device, memory
        self.denoisers: dict[int, Denoiser] = {}
        self.lines = lines
        cores = torch.get_num_threads()
        share = max(1, cores // lines)
        self.threads: dict[Cores, int] = {"all": cores, "spare": max(1, cores - 1), "share": share}

    def load(self, number: int, path: Path) -> Geometry:
        """Take on a model, unless it was taken on as the process started."""
        if number not in self.denoisers:
            self.denoisers[number] = Denoiser.load(path, self.device)
        return self.denoisers[number].geometry

    def measure(self, number: int, wanted: list[int]) -> Pace:
        """A model's pace; those that are not wanted any more go."""
        for forgotten in self.denoisers.keys() - set(wanted):
            del self.denoisers[forgotten]
        denoiser = self.denoisers[number]
        denoiser.calibrate(self.lines)
        _give_back()
        return denoiser.pace

    def run(self, line: int, number: int, shape: tuple[int, ...], cores: Cores, exact: bool) -> None:
        """Run what lies in the line's memory."""
        torch.set_num_threads(self.threads[cores])
        inbox, outbox = map(torch.from_numpy, self.memory.views(line, shape))
        outbox.copy_(self.denoisers[number].run(inbox, exact))

    def answer(self, line: Connection, yields: bool = False) -> None:
        """Until the service hangs up."""
        if yields and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LONG_NICE)
        while True:
            try:
                call, *arguments = line.recv()
            except (EOFError, OSError):
                os._exit(0)
            line.send(self._result(call, arguments) if call == "run" else self._aside(call, arguments))

    def _aside(self, call: str, arguments: list[Any]) -> tuple[bool, Any]:
        """The result of a call that is made in a thread of its own, which ends.

        A thread that has once computed keeps others to compute with, and with more of them in the
        process than there are cores, each waits for its share asleep, to be woken for every operation.
        """
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._result, call, arguments).result()

    def _result(self, call: str, arguments: list[Any]) -> tuple[bool, Any]:
        try:
            return True, getattr(self, call)(*arguments)
        except N2NError as error:
            return False, ("weights", str(error))
        except Exception as error:
            kind = "memory" if is_out_of_memory(error) else "other"
            return False, (kind, f"{type(error).__name__}: {error}")


def _is_long(line: int) -> bool:
    return line % len(LANES) == LONG


def _give_back() -> None:
    """Return free memory to the system, where the C library can (glibc).

    Calibration runs batches larger than any that may come, and ``MEMORY`` would keep what they took;
    traffic makes it grow again to what it needs.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def main(arguments: list[str]) -> None:
    """Serve until the service hangs up; it alone decides when, so signals to its group do nothing."""
    device, threads, *descriptors = arguments
    gc.freeze()  # what is imported stays, and is not searched for garbage; models may go
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if int(threads):
        set_threads(int(threads))
    *lines, control, memory = map(int, descriptors)
    server = Server(device, Memory(memory, len(lines)), len(lines) // len(LANES))
    for index, line in enumerate(lines):
        threading.Thread(target=server.answer, args=(Connection(line), _is_long(index))).start()
    server.answer(Connection(control))


if __name__ == "__main__":
    main(sys.argv[1:])
