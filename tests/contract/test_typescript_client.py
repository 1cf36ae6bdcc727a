"""A program compiles with the types that openapi-typescript generates, and works against the service."""

import re
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.contract.conftest import DOCUMENT

SOURCES = Path(__file__).with_name("typescript")
UNREACHABLE = re.compile(r"ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH")
NPM, NODE = shutil.which("npm"), shutil.which("node")

pytestmark = pytest.mark.skipif(not (NPM and NODE), reason="needs node and npm, which are not installed")


def run(*command: object, folder: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and command[0] == NPM and UNREACHABLE.search(done.stderr):
        pytest.skip(f"npm's registry cannot be reached: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the program, its libraries and the types."""
    folder = tmp_path_factory.mktemp("typescript")
    for path in SOURCES.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    run(NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=folder)
    options = [
        "--default-non-nullable",
        "false",
        "--output",
        "n2n.d.ts",
    ]  # what has a default may be left out
    run(NODE, "node_modules/openapi-typescript/bin/cli.js", DOCUMENT, *options, folder=folder)
    return folder


@pytest.mark.slow
def test_it_compiles_and_does_all_that_the_service_offers(
    generated: Path, server: str, pictures: Path
) -> None:
    run(NODE, "node_modules/typescript/bin/tsc", folder=generated)
    files = [b64encode((pictures / name).read_bytes()).decode() for name in ("noisy.png", "clean.png")]
    run(NODE, "exercise.js", server, *files, folder=generated)
