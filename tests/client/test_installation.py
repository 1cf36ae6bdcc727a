"""The client, installed without the rest of n2n."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import n2n_client

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys

for blocked in ("torch", "n2n_core", "service"):
    sys.modules[blocked] = None

import n2n_client

print(n2n_client.__file__, n2n_client.__version__)
n2n_client.Client("http://localhost:1").close()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the client's own distribution is installed into, without a network."""
    folder = tmp_path_factory.mktemp("installed")
    offline = ["--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(folder)]
    subprocess.run([*command, str(ROOT / "n2n_client")], check=True)
    return folder


def test_it_works_without_torch_and_the_rest_of_n2n(installed: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", PROGRAM]
    found = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert found.stdout.split() == [str(installed / "n2n_client" / "__init__.py"), n2n_client.__version__]


def test_it_has_all_its_files(installed: Path) -> None:
    def files(folder: Path) -> set[str]:
        return {path.name for path in folder.iterdir() if path.suffix == ".py" or path.name == "py.typed"}

    assert files(installed / "n2n_client") == files(ROOT / "n2n_client")
    (metadata,) = installed.glob("n2n_client-*.dist-info/METADATA")
    needs = [line for line in metadata.read_text().splitlines() if line.startswith("Requires-Dist")]
    assert needs == ["Requires-Dist: httpx>=0.27"]
