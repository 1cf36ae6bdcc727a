"""One server for all attacks, with small limits. After each test module it must be in its first state."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from n2n_core.models import weights
from service.processes.worker_pool import MOST_SLOW
from tests.pictures import drawn, file

N2N = Path(sys.executable).with_name("n2n")
READ_TIMEOUT = 1.0
MEMORY = 500 * 2**20
"""Bytes that no attack may bring the service's own process to; it takes about 110 MB."""

LIMITS = {
    "N2N_MAX_BYTES": "2000000",
    "N2N_MAX_PIXELS": "4000000",
    "N2N_MAX_CONNECTIONS": "350",
    "N2N_MAX_HEADER_BYTES": "8192",
    "N2N_MAX_PARTS": "50",
    "N2N_MAX_DATASET_PARTS": "100",
    "N2N_MAX_NAME_LENGTH": "100",
    "N2N_MAX_FRAMES": "20",
    "N2N_MAX_ARCHIVE_ENTRIES": "1000",
    "N2N_MAX_ARCHIVE_RATIO": "10",
    "N2N_MAX_DATASET_BYTES": "100000000",
    "N2N_READ_TIMEOUT": str(READ_TIMEOUT),
    "N2N_MIN_RATE": "1000",
    "N2N_TOTAL_TIMEOUT": "600",
    "N2N_DEFAULT_MODEL": "scratch",
    "N2N_DEVICE": "cpu",
    "N2N_TRAIN_CONCURRENCY": "0",
}


@dataclass(frozen=True)
class Server:
    """The service in a process of its own."""

    process: int
    port: int
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def held(self) -> dict[str, int]:
        """Open files and threads, and the files in its folder for temporary ones."""
        own = Path(f"/proc/{self.process}")
        return {
            "descriptors": len(list((own / "fd").iterdir())),
            "threads": len(list((own / "task").iterdir())),
            "temporary files": len(list((self.folder / "tmp").iterdir())),
            "unfinished": len(list((self.folder / "data" / "datasets").glob(".*"))),
        }

    def peak(self) -> int:
        """The most memory that it has had, in bytes."""
        status = Path(f"/proc/{self.process}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if sys.platform != "linux":
        pytest.skip("looks at the server through /proc")
    folder = tmp_path_factory.mktemp("server")
    (folder / "tmp").mkdir()
    weights.publish(weights.find("scratch").path, "scratch", "", None, folder / "weights")
    variables = {
        **os.environ,
        **LIMITS,
        **{f"N2N_{name.upper()}": str(folder / name) for name in ("data", "weights")},
        "TMPDIR": str(folder / "tmp"),
    }
    command = [str(N2N), "serve", "--port", "0"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=variables, stderr=log) as process:
        found = None
        while found is None:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", (folder / "log").read_text())
        server = Server(process.pid, int(found[1]), folder)
        answer = httpx.post(  # starts all that is started on demand
            f"{server.url}/denoise",
            content=file(drawn("RGB", 100, 100)),
            headers={"content-type": "image/png"},
        )
        assert answer.status_code == 200
        yield server
        process.terminate()


@pytest.fixture(scope="module")
def server(one_server: Server) -> Iterator[Server]:
    """The server; afterwards it holds nothing more, has said nothing of faults, and serves."""
    before = one_server.held()
    yield one_server
    deadline = time.monotonic() + 60
    before["threads"] += 45  # pools of bounded size, which grow on demand
    before["descriptors"] += 2  # the lines to the processes for other work, which come and go
    before["descriptors"] += 3 * (4 + MOST_SLOW)  # to workers, which start on demand and stay
    while any(one_server.held()[what] > count for what, count in before.items()):
        assert time.monotonic() < deadline, f"{before} before, {one_server.held()} after"
        time.sleep(0.05)
    assert one_server.peak() < MEMORY
    assert "Traceback" not in one_server.log
    assert "status=500" not in one_server.log
    assert httpx.get(f"{one_server.url}/healthz").status_code == 200
