"""The examples run as they are, on small data."""

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.reliability.service import Service
from n2n_core.models import weights
from tests.core.datasets.sources import picture, write_folder
from tests.pictures import opened

EXAMPLES = Path(__file__).parent.parent / "examples"
TESTED = {
    "denoise_picture.py", "denoise_with_client.py", "train_with_client.py", "train_in_python.py",
    "scratch_network.py", "denoise.sh",
}  # fmt: skip
SIDE = 48


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if sys.platform != "linux":
        pytest.skip("finds the service's processes through /proc")
    with Service(tmp_path_factory.mktemp("service"), {}) as service:
        yield service.url


def shot(scene: int, number: int) -> bytes:
    """A noisy picture of a scene."""
    clean = (
        np.random.default_rng(scene).integers(60, 190, (3, SIDE // 8, SIDE // 8)).repeat(8, 1).repeat(8, 2)
    )
    noise = np.random.default_rng((scene, number)).normal(0, 15, clean.shape)
    return picture((clean + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    (tmp_path / "noisy.png").write_bytes(shot(0, 0))
    return tmp_path / "noisy.png"


def example(name: str) -> Any:
    return runpy.run_path(str(EXAMPLES / name))["main"]


def assert_smoother(path: Path, noisy: Path) -> None:
    first, second = (np.asarray(opened(file.read_bytes()), float) for file in (noisy, path))
    assert second.shape == first.shape
    assert np.abs(np.diff(second, axis=1)).mean() < 0.8 * np.abs(np.diff(first, axis=1)).mean()


def test_every_example_is_tested_and_short() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == TESTED
    assert all(len(path.read_text().splitlines()) <= 40 for path in EXAMPLES.iterdir() if path.is_file())


def test_a_picture_is_denoised_in_python(noisy: Path, tmp_path: Path) -> None:
    example("denoise_picture.py")(noisy, tmp_path / "clean.png")
    assert_smoother(tmp_path / "clean.png", noisy)


def test_a_picture_is_denoised_by_the_client(url: str, noisy: Path, tmp_path: Path) -> None:
    example("denoise_with_client.py")(str(noisy), str(tmp_path / "clean.png"), url)
    assert_smoother(tmp_path / "clean.png", noisy)


def test_a_picture_is_denoised_by_curl(url: str, noisy: Path, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    environment = {name: value for name, value in os.environ.items() if name != "N2N_API_KEY"}
    command = ["sh", str(EXAMPLES / "denoise.sh"), str(noisy), str(tmp_path / "clean.png"), url]
    subprocess.run(command, check=True, env=environment)
    assert_smoother(tmp_path / "clean.png", noisy)


@pytest.mark.slow
def test_bursts_become_a_model_that_is_served(
    url: str, noisy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {f"{scene}/{number}.png": shot(scene, number) for scene in range(4) for number in range(3)}
    example("train_with_client.py")(str(write_folder(tmp_path / "bursts", files)), str(noisy), url, epochs=1)
    assert "denoised with mine: " in capsys.readouterr().out
    assert opened((tmp_path / "noisy-clean.png").read_bytes()).size == (SIDE, SIDE)


def test_pairs_become_a_weights_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"{'ab'[number]}/{scene}.png": shot(scene, number) for scene in range(6) for number in range(2)}
    example("train_in_python.py")(
        str(write_folder(tmp_path / "shots", files)), str(tmp_path / "run"), epochs=1
    )
    model = Path(capsys.readouterr().out.splitlines()[-1].rpartition(" ")[2])
    assert weights.read(model)[1].recipe["epochs"] == 1


def test_a_network_of_the_scratch_framework_learns() -> None:
    noisy, denoised = example("scratch_network.py")()
    assert denoised < noisy / 3
