"""A model that would end the service, and the loss of the process that runs the networks."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
from torch import Generator

from n2n_core.models import architectures, weights
from n2n_core.models.weights import Card
from tests.hostile.conftest import Server
from tests.pictures import drawn, file

ELEVEN = architectures.UNet((1,) * 11, (1,) * 11)
PNG = file(drawn("RGB", 40, 28))


def denoise(server: Server, model: str = "scratch") -> httpx.Response:
    headers = {"content-type": "image/png"}
    return httpx.post(
        f"{server.url}/denoise", params={"model": model}, content=PNG, headers=headers, timeout=60
    )


def device_process(server: Server) -> int:
    children = subprocess.run(
        ["pgrep", "-f", "-P", str(server.process), "device_worker"],
        capture_output=True,
        check=True,
        text=True,
    )
    return int(children.stdout.split()[0])


def test_a_small_file_with_gigantic_tiles_is_refused(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    weights.save(path, ELEVEN.build(Generator().manual_seed(0)), Card(architectures.describe(ELEVEN)))
    assert path.stat().st_size < 14_000
    answer = httpx.post(f"{server.url}/models/eleven/versions", content=path.read_bytes(), timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_model")
    assert denoise(server, "eleven").status_code == 404
    assert denoise(server).status_code == 200


def test_a_device_that_is_stopped_is_noticed(server: Server) -> None:
    stopped = device_process(server)
    os.kill(stopped, signal.SIGSTOP)
    assert denoise(server).status_code == 200
    assert device_process(server) != stopped


def test_a_device_that_is_killed_again_and_again_is_no_fault_of_the_service(server: Server) -> None:
    for _ in range(4):
        os.kill(device_process(server), signal.SIGKILL)
        answer = denoise(server)
        assert answer.status_code == 200, answer.text
