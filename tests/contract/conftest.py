"""The service as its users run it, and pictures for it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image

from n2n_core.image.rounding import to_bytes
from tests.course_models import publish_course_models
from tests.pictures import drawn, file
from tests.scenes import noisy, smooth

N2N = Path(sys.executable).with_name("n2n")
DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"

collect_ignore = ["exercise.py", "typescript"]


@contextmanager
def serving(data: Path, **settings: str) -> Iterator[str]:
    """The address of a service, in a process of its own, while the block runs."""
    models = publish_course_models(data.with_name(f"{data.name}-weights"))
    settings = {"N2N_DATA": str(data), "N2N_WEIGHTS": str(models), "N2N_DEVICE": "cpu"} | settings
    command = [str(N2N), "serve", "--port", "0"]
    environment = {**os.environ, "N2N_TRAIN_HEARTBEAT": "0.2", "N2N_TRAIN_LEASE": "30", **settings}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if address := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line):
                break
        assert address, "".join(lines)
        Thread(target=process.stderr.read, daemon=True).start()  # or its log would fill the pipe
        try:
            yield address[0]
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("data"), N2N_TRAIN_THREADS="1") as address:
        yield address


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A noisy picture with its clean one, and a folder of pairs to train on."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "noisy.png").write_bytes(file(drawn(seed=1)))
    (folder / "clean.png").write_bytes(file(drawn(seed=2)))
    (folder / "pairs").mkdir()
    for shot, tensor in enumerate(noisy(smooth(20, 32, 32), 2)):
        for scene, picture in enumerate(tensor):
            image = Image.fromarray(to_bytes(picture).permute(1, 2, 0).numpy())
            (folder / "pairs" / f"{scene:02d}_{shot}.png").write_bytes(file(image))
    return folder
