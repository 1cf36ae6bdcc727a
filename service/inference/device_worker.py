"""The program of a device's process: ``python -m service.inference.device_worker``."""

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
from n2n_core.errors import N2NError, WeightsError
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.tiling import Geometry, Throughput
from service.inference.device_process import UNMEASURED
from service.inference.lines import LANES, LONG, Cores, lane_of
from service.inference.shared_memory import BatchMemory
from service.processes.child import connect, serve
from service.storage import model_limits

LONG_NICE = 5
"""Nice value of the threads of the LONG lane, so small pictures go first. On Linux it is per thread."""


class Worker:
    """The models of one device, and the methods that the service calls.

    Args:
        device: the device's name in torch.
        memory: shared with the service.
        lines: per lane.
    """

    def __init__(self, device: str, memory: BatchMemory, lines: int) -> None:
        self.device, self.memory, self.lines = device, memory, lines
        self.denoisers: dict[int, Denoiser] = {}
        cores = torch.get_num_threads()
        share = max(1, cores // lines)
        self.threads: dict[Cores, int] = {"all": cores, "spare": max(1, cores - 1), "share": share}

    def answer(self) -> None:
        """Do nothing: the caller learns that the process has started."""

    def load(self, number: int, path: Path, sha256: str) -> Geometry:
        """Load the weights file with this hash, unless it was loaded when the process started.

        Return the geometry of its network.
        """
        if number not in self.denoisers:
            try:
                network, card = model_limits.load(path, sha256)
                self.denoisers[number] = Denoiser(network, self.device, is_blind=card.is_blind)
            except N2NError as error:  # whatever is wrong, the file is to blame, not a request
                raise WeightsError(str(error)) from error
        return self.denoisers[number].geometry

    def measure(self, number: int, wanted: list[int]) -> Throughput:
        """Return a model's throughput. Models that are not ``wanted`` any more are freed."""
        for forgotten in self.denoisers.keys() - set(wanted):
            del self.denoisers[forgotten]
        denoiser = self.denoisers[number]
        if not os.environ.get(UNMEASURED):
            denoiser.calibrate(self.lines)
        _return_free_memory()
        return denoiser.throughput

    def run(self, line: int, number: int, shape: tuple[int, ...], cores: Cores, exact: bool) -> None:
        """Run the batch in the line's memory through a model."""
        torch.set_num_threads(self.threads[cores])
        batch, result = map(torch.from_numpy, self.memory.views(line, shape))
        result.copy_(self.denoisers[number].run(batch, exact))

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method by its name: batches in this thread, all else in one that ends afterwards.

        A thread that has computed once keeps other threads to compute with. If the process has more of them
        than there are cores, each is put to sleep and woken again for every operation.

        Raises:
            MemoryError: the device has not enough memory.
        """
        function = getattr(self, method)
        try:
            if method == "run":
                return function(*arguments)
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(function, *arguments).result()
        except Exception as error:
            if is_out_of_memory(error):  # torch has several classes for it, which the service cannot load
                raise MemoryError(f"{type(error).__name__}: {error}") from error
            raise

    def serve_lane(self, line: Connection, lane: int) -> None:
        """Run the batches of one line, with a low priority if they are of the LONG lane."""
        if lane == LONG and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LONG_NICE)
        serve(line, self.call)


def _return_free_memory() -> None:
    """Return free memory to the system, where the C library can (glibc).

    Calibration runs larger batches than requests do, and ``MALLOC`` would keep their memory.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def main(lines: str, memory: str, device: str, threads: str) -> None:
    """Serve until the service hangs up. The service alone ends this process, so signals are ignored."""
    *batches, control = connect(lines)
    gc.freeze()  # imported modules stay, so they need not be searched for garbage
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if int(threads):
        set_threads(int(threads))
    worker = Worker(device, BatchMemory(int(memory), len(batches)), len(batches) // len(LANES))
    for index, line in enumerate(batches):
        threading.Thread(target=worker.serve_lane, args=(line, lane_of(index))).start()
    serve(control, worker.call)


if __name__ == "__main__":
    main(*sys.argv[1:])
