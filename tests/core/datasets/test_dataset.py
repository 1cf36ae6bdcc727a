"""A dataset is read in parts, detects changes, and rejects folders that are not datasets."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from n2n_core.datasets import dataset as module
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.writer import DatasetWriter
from n2n_core.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (2, 3, 1, 9, 11), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (3, 2, 3, 8, 7), dtype=np.uint16)
FLOATS = RNG.normal(0.5, 0.5, (1, 2, 3, 5, 6)).astype(np.float32)


def write(folder: Path, kind: str = "bursts", corruption: dict[str, Any] | None = None) -> Dataset:
    folder.mkdir(exist_ok=True)
    writer = DatasetWriter(folder, 10**6)
    for stack in (GREY, DEEP, FLOATS):
        writer.add(stack)
    return writer.finish(kind, "x", "x", corruption)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return write(tmp_path / "d")


def test_scenes_are_counted_over_all_stacks(dataset: Dataset) -> None:
    assert len(dataset) == 6
    assert [dataset.shots(scene) for scene in range(6)] == [3, 3, 2, 2, 2, 2]
    assert [dataset.shape(scene) for scene in (0, 2, 5)] == [(1, 9, 11), (3, 8, 7), (3, 5, 6)]
    assert dataset.scene_name(3) == "3"


def test_values_are_floats_of_three_channels(dataset: Dataset) -> None:
    for scene, expected in [(1, GREY[1] / np.float32(255)), (4, DEEP[2] / np.float32(65535)), (5, FLOATS[0])]:
        for shot in range(2):
            picture = dataset.read(scene, shot)
            assert picture.dtype == torch.float32
            assert picture.is_contiguous()
            assert np.array_equal(picture.numpy(), np.broadcast_to(expected[shot], picture.shape))


def test_a_part_is_the_whole_s_part(dataset: Dataset) -> None:
    for rows, columns in [
        (slice(2, 5), slice(1, 7)),
        (slice(None), slice(3, None)),
        (slice(5, 99), slice(0, 1)),
    ]:
        assert dataset.read(0, 1, rows, columns).equal(dataset.read(0, 1)[:, rows, columns])


def test_what_is_read_is_the_reader_s_own(dataset: Dataset) -> None:
    for scene in (0, 2, 5):
        before = dataset.read(scene, 0).clone()
        dataset.read(scene, 0).add_(1)
        assert dataset.read(scene, 0).equal(before)


@pytest.mark.parametrize(("scene", "shot"), [(-1, 0), (6, 0), (0, 3), (0, -1), (5, 2)])
def test_scenes_and_shots_that_are_not_there(dataset: Dataset, scene: int, shot: int) -> None:
    with pytest.raises(IndexError, match="expected 0 to"):
        dataset.read(scene, shot)


def test_it_travels_to_other_processes(dataset: Dataset) -> None:
    dataset.read(0, 0)
    sent = pickle.dumps(dataset)
    assert len(sent) < 2000
    assert pickle.loads(sent).read(3, 1).equal(dataset.read(3, 1))


def test_few_stacks_are_open_at_a_time(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_STACKS", 2)
    for scene in (0, 2, 5, 0, 5, 2):
        dataset.read(scene, 0)
        assert len(dataset._mapped) <= 2


def test_equal_data_have_equal_fingerprints(tmp_path: Path, dataset: Dataset) -> None:
    assert write(tmp_path / "e").fingerprint == dataset.fingerprint
    others = [
        write(tmp_path / "f", "pairs"),
        write(tmp_path / "g", "clean", {"name": "gaussian", "sigma": 0.1}),
        write(tmp_path / "h", "clean", {"name": "gaussian", "sigma": 0.2}),
    ]
    assert len({dataset.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_changed_values_are_found(dataset: Dataset) -> None:
    dataset.verify()
    path = dataset.folder / "stack-001.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"stack-001\.npy: was changed"):
        Dataset.open(dataset.folder).verify()


def test_a_stack_that_does_not_fit_is_named(dataset: Dataset) -> None:
    np.save(dataset.folder / "stack-000.npy", GREY[:1])
    (dataset.folder / "stack-001.npy").write_bytes(b"\x93NUMPY")
    opened = Dataset.open(dataset.folder)
    with pytest.raises(
        DataError, match=r"stack-000\.npy: contains uint8 \(1, 3, 1, 9, 11\), expected uint8 \(2"
    ):
        opened.read(0, 0)
    with pytest.raises(DataError, match=r"stack-001\.npy: cannot be read"):
        opened.read(2, 0)
    (dataset.folder / "stack-002.npy").unlink()
    with pytest.raises(DataError, match=r"stack-002\.npy: is missing"):
        Dataset.open(dataset.folder)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2}, {"kind": "triples"}, {"stacks": []}, {"stacks": [{}]}, {"stacks": 3},
        {"left_out": 3}, {"left_out": {"count": "3", "names": []}}, {"left_out": {"count": 3, "names": [3]}},
        {"corruption": {"name": "fog"}}, {"corruption": {"sigma": 1}}, {"name": None, "kind": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_manifest_that_says_nonsense_is_refused(dataset: Dataset, change: dict[str, Any]) -> None:
    path = dataset.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=r"manifest\.json"):
        Dataset.open(dataset.folder)


@pytest.mark.parametrize("stack", [{"shape": [2, 3, 1, 9]}, {"dtype": "int8"}, {"names": ["a"]}], ids=str)
def test_a_stack_that_says_nonsense_is_refused(dataset: Dataset, stack: dict[str, Any]) -> None:
    path = dataset.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["stacks"][0] |= stack
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="not the manifest of a dataset"):
        Dataset.open(dataset.folder)


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "{"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="not a dataset, expected a folder with a manifest"):
        Dataset.open(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DataError, match="not the manifest of a dataset"):
        Dataset.open(tmp_path)
