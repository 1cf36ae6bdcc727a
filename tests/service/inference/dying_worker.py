"""A device's process that is killed, as for lack of memory, when it loads a file called ``deadly``."""

import os
import signal
import sys
from pathlib import Path

from n2n_core.inference.tiling import Geometry
from service.inference import device_worker


class Worker(device_worker.Worker):
    def load(self, number: int, path: Path, sha256: str) -> Geometry:
        if path.stem == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().load(number, path, sha256)


if __name__ == "__main__":
    device_worker.Worker = Worker  # type: ignore[misc]
    device_worker.main(*sys.argv[1:])
