"""Models that are small as files, and take too much of the service, are refused before they are entered."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Generator

from n2n_core.errors import WeightsError
from n2n_core.models import architectures, weights
from n2n_core.models.architectures import Architecture, AutoEncoder, UNet
from n2n_core.models.weights import Card
from service.processes.background import AbortedError, BackgroundProcess
from service.processes.child import ChildDiedError
from service.processes.watchdog import ChildLateError, ChildStoppedError
from service.storage import model_limits
from service.storage.model_check import CheckInProcess, can_serve
from tests.service.small import saved

ELEVEN = UNet((1,) * 11, (1,) * 11)
"""13.5 kB as a file, and tiles of 73,728 pixels a side."""


def written(folder: Path, architecture: Architecture, **card: Any) -> Path:
    path = folder / "w.safetensors"
    network = architecture.build(Generator().manual_seed(0))
    weights.save(path, network, Card(architectures.describe(architecture), **card))
    return path


def with_header(folder: Path, tensors: int = 0, **more: str) -> Path:
    """A small model, with more tensors or metadata."""
    with safe_open(saved(folder, 1), framework="pt") as file:
        metadata, names = file.metadata() | more, list(file.keys())
        state = {name: file.get_tensor(name) for name in names}
    path = folder / "w.safetensors"
    path.write_bytes(save(state | {f"x{n}": torch.zeros(1) for n in range(tensors)}, metadata))
    return path


BEYOND: dict[str, Callable[[Path], Path]] = {
    r"a tile, of which 24576 are context, has 73728 pixels a side, expected at most 1024": (
        lambda folder: written(folder, ELEVEN)
    ),
    r"a tile, of which 384 are context, has 1152 pixels": lambda folder: written(
        folder, UNet((1,) * 5, (1,) * 5)
    ),
    r"the work for a pixel has \d+ multiply-accumulates, expected at most 2097152": (
        lambda folder: written(folder, AutoEncoder((400, 400, 400, 3)))
    ),
    r"the file has 1028 tensors, expected at most 1024": lambda folder: with_header(folder, tensors=1024),
    r"its header has \d{7} bytes, expected at most 1048576": lambda folder: with_header(
        folder, x="x" * 2**20
    ),
    r"its description .* has \d{5} bytes, expected at most 65536": (
        lambda folder: written(folder, AutoEncoder((4, 3), skip=False), licence="x" * 2**16)
    ),
}


@pytest.mark.parametrize("reason", BEYOND)
def test_what_is_beyond_a_limit_is_refused(tmp_path: Path, reason: str) -> None:
    path = BEYOND[reason](tmp_path)
    with pytest.raises(WeightsError, match=reason):
        can_serve(path)
    with pytest.raises(WeightsError, match=reason):  # a device's process may find an older file
        model_limits.load(path)


def test_ours_are_far_within_the_limits() -> None:
    for entry in weights.read_index().values():
        network, _ = model_limits.load(entry.path, entry.sha256)
        assert weights.count_parameters(network) < model_limits.MAX_VALUES / 50


def test_only_the_expected_bytes_are_loaded(tmp_path: Path) -> None:
    path = saved(tmp_path, 1)
    with pytest.raises(WeightsError, match=rf"sha256 is {weights.sha256(path)}, expected {'0' * 64}"):
        model_limits.load(path, "0" * 64)


@pytest.fixture
def process() -> Iterator[BackgroundProcess]:
    process = BackgroundProcess(memory=2**29, seconds=60)
    yield process
    process.close()


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory")
def test_what_takes_too_much_memory_is_refused_and_the_next_one_is_checked(
    process: BackgroundProcess, tmp_path: Path
) -> None:
    check = CheckInProcess(process)
    with pytest.raises(WeightsError, match="running it takes more memory than a model may use"):
        check(written(tmp_path, AutoEncoder((20_000, 3), skip=False)))  # 80 kB a pixel
    check(saved(tmp_path, 1))


class Failing(BackgroundProcess):
    """Raises errors instead of running functions."""

    def __init__(self, *errors: type[ChildDiedError]) -> None:
        super().__init__()
        self.errors = list(errors)

    def run(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)("the process ended")


@pytest.mark.parametrize(("errors", "expected"), [
    ((ChildDiedError,), None),
    ((ChildStoppedError,), None),
    ((ChildDiedError, ChildDiedError), WeightsError),
    ((ChildLateError,), WeightsError),
    ((ChildStoppedError, ChildStoppedError), ChildStoppedError),
    ((AbortedError,), AbortedError),
])  # fmt: skip
def test_the_model_is_blamed_for_what_is_its_own(
    errors: tuple[type[ChildDiedError], ...], expected: type[Exception] | None, tmp_path: Path
) -> None:
    process = Failing(*errors)
    if expected:
        with pytest.raises(expected):
            CheckInProcess(process)(tmp_path)
    else:
        CheckInProcess(process)(tmp_path)
    assert process.errors == []
