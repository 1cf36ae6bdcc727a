"""Run schemathesis against the service: every endpoint, every check, and the links of the document."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from n2n_client import Client
from service.api.examples import EXAMPLES
from tests.contract.conftest import serving
from tests.fuzz.targets import CORPUS

CONFIG = Path(__file__).with_name("schemathesis.toml")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[tuple[str, Path]]:
    """A service with a dataset, a model and a job, and the folder with the configuration that names them.

    It trains nothing: what recipes are asked for would keep the machine busy for days.
    """
    folder = tmp_path_factory.mktemp("schemathesis")
    shutil.copytree(pictures / "pairs", folder / EXAMPLES["DatasetFolder"]["path"])
    settings = {
        "N2N_TRAIN_CONCURRENCY": "0",
        "N2N_MAX_BYTES": "1000000",
        "N2N_DATASET_ROOT": str(folder),
    }
    with serving(folder / "data", **settings) as address:
        with Client(address) as client:
            dataset = client.upload_dataset([pictures / "pairs"], "pairs", name="pairs")
            job = client.cancel(client.submit(dataset.id, force=True).id)
        weights = (CORPUS / "weights" / "unet.safetensors").read_bytes()
        httpx.post(f"{address}/models/mine/versions", content=weights, timeout=600).raise_for_status()
        ids = f'datasets = {{ values = ["{dataset.id}"] }}\njobs = {{ values = ["{job.id}"] }}\n'
        text = CONFIG.read_text().replace("[dictionaries]\n", f"[dictionaries]\n{ids}")
        (folder / "schemathesis.toml").write_text(text)
        yield address, folder


def attack(target: tuple[str, Path], *options: str) -> None:
    """Run schemathesis until it has found nothing."""
    address, folder = target
    program = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
    config = ["--config-file", str(folder / "schemathesis.toml")]
    command = [sys.executable, "-c", program, *config, "run", f"{address}/openapi.json", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_request_breaks_the_contract(target: tuple[str, Path]) -> None:
    attack(target, "--phases", "examples,coverage", "--max-time", "5", "--seed", "0")


@pytest.mark.slow
def test_no_request_of_many_breaks_the_contract(target: tuple[str, Path]) -> None:
    attack(target, "--max-examples", "1000", "--max-time", "300")
