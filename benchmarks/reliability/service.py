"""Run ``n2n serve`` in its own process, on any free port. It can be killed and restarted. Linux only."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import httpx

from benchmarks.serving.procfs import PROC
from benchmarks.serving.servers import ROOT

START_SECONDS = 120
SERVICE, DEVICE, BACKGROUND, TRAINER = "service", "device", "background", "trainer"
ROLES = {
    "service.cli": SERVICE,
    "service.inference.device_worker": DEVICE,
    "service.processes.background": BACKGROUND,
    "service.jobs.trainer": TRAINER,
}
"""Roles of its processes, by the module that each runs."""


class Service:
    """The service, its data and its temporary files in ``folder``.

    Args:
        folder: that of all starts, so what one leaves behind the next one finds.
        settings: in lower case, without ``N2N_``.
        log: gets what it prints; a file in ``folder`` if not given.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], log: Path | None = None) -> None:
        self.data, self.temporary, self.log = folder / "data", folder / "tmp", log or folder / "log.txt"
        for path in (self.data, self.temporary):
            path.mkdir(parents=True, exist_ok=True)
        own = {"device": "cpu", "data": self.data, **settings}
        self.environment = os.environ | {"TMPDIR": str(self.temporary), "PYTHONUNBUFFERED": "1"}
        self.environment |= {f"N2N_{name.upper()}": str(value) for name, value in own.items()}
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the service's own process."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start the service, and wait until it listens.

        Raises:
            RuntimeError: it ended, or did not listen in time; with the end of its log.
        """
        command = [sys.executable, "-m", "service.cli", "serve", "--port", "0"]
        with self.log.open("ab") as log:
            begin = log.tell()
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for who started it
            )
        deadline = monotonic() + START_SECONDS
        while not (found := re.search(rb"serving on (http://\S+)\s", self._logged(begin))):
            if self._process.poll() is not None or monotonic() > deadline:
                raise RuntimeError(f"n2n does not serve; its log ends with\n{self.log.read_text()[-2000:]}")
            sleep(0.05)
        self.url = found[1].decode()

    def kill(self) -> None:
        """Run ``kill -9`` on the service's own process, but not on those that it started."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the service's own process."""
        os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """Wait for the end, and return the exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        assert self._process
        return self._process.wait(seconds)

    def processes(self) -> dict[int, str]:
        """Return the ids and roles of its processes, with orphans, identified by their data folder."""
        own = f"N2N_DATA={self.data}".encode()
        return {
            int(path.name): _role(_read(path / "cmdline"))
            for path in PROC.glob("[0-9]*")
            if own in _read(path / "environ").split(b"\0")
        }

    def faults(self) -> list[str]:
        """Return the unexpected failures in the log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [lines[i - 1] for i, line in enumerate(lines) if line.startswith("Traceback")]

    def close(self) -> None:
        """Stop the service and kill its other processes, as trainers outlive it by design."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _logged(self, begin: int) -> bytes:
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read()


def connect(url: str) -> httpx.AsyncClient:
    """Return a client with a long timeout, as a busy machine answers late."""
    return httpx.AsyncClient(base_url=url, timeout=120)


def _role(command: bytes) -> str:
    words = command.decode(errors="replace").split("\0")
    return next((ROLES[word] for word in words if word in ROLES), "other")


def _read(path: Path) -> bytes:
    """Read a file in ``/proc``. Empty if the process has just ended."""
    try:
        return path.read_bytes()
    except (OSError, ProcessLookupError):
        return b""
