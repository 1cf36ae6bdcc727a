"""The service's other processes, run inside the test process: the same work, without starts and calibration.

The networks, and the functions that are run beside the requests, are the real ones; what is left out is
the boundary between processes. It is tested in ``inference/test_device_process.py``,
``processes/test_background.py``, ``test_server.py`` and by the apps that are served as users serve them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from n2n_core.image import Pixels
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.tiling import Geometry, Throughput
from service.inference.device_process import DeviceProcess
from service.inference.lines import LANES, Cores
from service.processes.background import BackgroundProcess
from service.storage import model_limits

P = ParamSpec("P")
T = TypeVar("T")


class DeviceInProcess(DeviceProcess):
    """A device whose networks run in threads of this process, one for each line."""

    def __init__(self, name: str, threads: int | None = None) -> None:
        super().__init__(name, threads)
        self.denoisers: dict[int, Denoiser] = {}
        self._count = count()
        self._pool = ThreadPoolExecutor(len(LANES) * self.lines)

    def add(self, path: Path, sha256: str) -> tuple[int, Geometry]:
        network, card = model_limits.load(path, sha256)
        denoiser, number = Denoiser(network, self.name, is_blind=card.is_blind), next(self._count)
        self.denoisers[number] = denoiser
        return number, denoiser.geometry

    def remove(self, number: int) -> None:
        self.denoisers.pop(number, None)

    def measure(self, number: int) -> Throughput:
        """The throughput of a network that has not been measured."""
        return self.denoisers[number].throughput

    async def run(
        self, line: int, number: int, batch: Pixels, cores: Cores, exact: bool = False, expected: float = 0.0
    ) -> Pixels:
        inbox = torch.from_numpy(batch.copy())
        loop = asyncio.get_running_loop()
        output = await loop.run_in_executor(self._pool, self.denoisers[number].run, inbox, exact)
        return output.numpy()

    def resident_bytes(self) -> int:
        return 0

    def close(self) -> None:
        self._pool.shutdown()


class BackgroundInProcess(BackgroundProcess):
    """Work beside the requests, done by the thread that asks for it."""

    def run(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        with self._calling:
            self._check_wanted()
            return function(*arguments, **options)
