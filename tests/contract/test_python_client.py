"""The client that openapi-python-client generates compiles and works against the service."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.conftest import DOCUMENT

EXERCISE = Path(__file__).with_name("exercise.py")
PACKAGE = "n2n_generated"
LEFT_OUT = "Unsupported content type image/"
"""It knows no pictures as bodies; plain bytes are there beside them."""
MYPY = """
[mypy]
strict = True
[mypy-n2n_generated.client]
# Its own __exit__ takes *args: object, whatever the document says.
disable_error_code = arg-type
"""


def run(*command: object, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    arguments = [sys.executable, *map(str, command)]
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder with the package, and what the generator said."""
    folder = tmp_path_factory.mktemp("generated")
    shutil.copy(EXERCISE, folder)
    (folder / "config.yaml").write_text("post_hooks: []\n")  # they format what nobody reads
    program = "import sys; from openapi_python_client.cli import app; sys.exit(app())"
    options = ["generate", "--meta", "none", "--config", "config.yaml", "--output-path", PACKAGE]
    return folder, run("-c", program, *options, "--path", DOCUMENT, folder=folder)


def test_nothing_is_left_out(generated: tuple[Path, str]) -> None:
    said = [line for line in generated[1].splitlines() if "annot parse" in line or "nsupported" in line]
    assert [line for line in said if not line.startswith(LEFT_OUT)] == []
    assert "will not be generated" not in generated[1]


@pytest.mark.slow
def test_it_compiles(generated: tuple[Path, str]) -> None:
    folder, _ = generated
    (folder / "mypy.ini").write_text(MYPY)
    run("-m", "mypy", "--config-file", "mypy.ini", "-p", PACKAGE, "-m", EXERCISE.stem, folder=folder)


@pytest.mark.slow
def test_it_does_all_that_the_service_offers(
    generated: tuple[Path, str], server: str, pictures: Path
) -> None:
    run(EXERCISE.name, server, pictures, folder=generated[0])
