"""Start servers, each in its own process, and stop them with all their children."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

from benchmarks.serving import client, procfs
from benchmarks.serving.peers.network import PATH
from benchmarks.serving.procfs import Usage

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS, END_SECONDS = 120, 15
OURS = "n2n"


@dataclass(frozen=True)
class Running:
    """A running server."""

    name: str
    model: str
    port: int
    pid: int

    @property
    def path(self) -> str:
        """Path to POST to. A peer has one model."""
        return PATH if self.name in PEERS else f"{PATH}?model={self.model}"

    def usage(self) -> Usage:
        """Resources of all its processes."""
        return procfs.usage(self.pid)


def _ours(port: int, model: str, threads: int) -> list[str]:
    return ["-m", "service.cli", "serve", "--port", str(port)]


def _peer(name: str) -> Callable[[int, str, int], list[str]]:
    def command(port: int, model: str, threads: int) -> list[str]:
        return ["-m", f"benchmarks.serving.peers.{name}", str(port), model, str(threads)]

    return command


def _without(part: str) -> Callable[[int, str, int], list[str]]:
    def command(port: int, model: str, threads: int) -> list[str]:
        return ["-m", "benchmarks.serving.without", part, str(port)]

    return command


PEERS = ("fastapi", "litserve", "mosec")
SERVERS: dict[str, Callable[[int, str, int], list[str]]] = {
    OURS: _ours,
    **{name: _peer(name) for name in PEERS},
}
"""Python's arguments for each, from a port, a model and a number of threads."""


def missing(name: str) -> str | None:
    """Return why server ``name`` cannot be started here, or None if it can."""
    if name == OURS or find_spec(name):
        return None
    return f"{name} is left out, it is not installed: pip install -c constraints.txt -e '.[bench]'"


@contextmanager
def running(name: str, model: str, threads: int, picture: bytes) -> Iterator[Running]:
    """Start a server, wait until it answers ``picture``, end it afterwards.

    Raises:
        RuntimeError: it ended, or did not answer in time; with the end of its log.
    """
    port = _free_port()
    arguments = SERVERS.get(name) or _without(name)
    command = [sys.executable, *arguments(port, model, threads)]
    variables = {"N2N_DEVICE": "cpu", "N2N_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryDirectory() as data:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **variables, "N2N_DATA": data},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            server = Running(name, model, port, process.pid)
            if not _answers(server, process, picture):
                log.seek(0)
                raise RuntimeError(f"{name} does not serve; its log ends with\n{log.read()[-2000:]}")
            yield server
        finally:
            _end(process)


def _answers(server: Running, process: subprocess.Popen[bytes], picture: bytes) -> bool:
    deadline = monotonic() + START_SECONDS
    while monotonic() < deadline and process.poll() is None:
        if client.ask(server.port, server.path, picture).good:
            return True
        sleep(0.1)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate the server, then kill what is left of its session."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
