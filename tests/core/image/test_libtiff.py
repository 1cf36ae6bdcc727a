"""libtiff prints nothing about damaged files, as we report them ourselves."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.bombs import tiles

READ = "import sys; from PIL import Image; Image.open(sys.argv[1]).load()"
QUIET = "from n2n_core import libtiff; libtiff.silence(); " + READ


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells where libtiff is")
def test_it_writes_nothing_about_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiles(1024, 1024)[:1001] + bytes([255] * 30))
    own = [
        [line for line in run(code, path).splitlines() if line.startswith("ZIP")] for code in (READ, QUIET)
    ]
    assert len(own[0]) > 0
    assert own[1] == []


def run(code: str, path: Path) -> str:
    """What it writes to standard error."""
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ)).stderr
