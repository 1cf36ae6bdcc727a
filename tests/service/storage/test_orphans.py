"""Files that a crash left without a row are removed at the start, and nothing else."""

import os
import time
from pathlib import Path

import pytest

from service.storage.data_folder import OLD_SECONDS, DataFolder
from service.storage.database import Database
from service.storage.dataset_store import DatasetStore
from service.storage.model_catalogue import ModelCatalogue
from service.storage.model_check import keep
from service.storage.orphans import sweep
from tests.service.small import saved


@pytest.fixture
def catalogue(database: Database, folder: DataFolder) -> ModelCatalogue:
    return ModelCatalogue(database, folder, check=lambda path: None)


def aged(path: Path) -> Path:
    """As if nobody had written to it for long."""
    for part in (path, *path.rglob("*")):
        os.utime(part, (0, time.time() - OLD_SECONDS - 1))
    return path


def test_a_dataset_without_a_row_goes_once_it_is_old(
    database: Database, folder: DataFolder, catalogue: ModelCatalogue, dataset: str
) -> None:
    datasets = DatasetStore(database)
    known, orphan, young = [folder.dataset(name) for name in (dataset, "orphan", "young")]
    for path in (known, orphan, young):
        path.mkdir()
        (path / "pictures").write_bytes(b"pictures")
    aged(known)
    aged(orphan)
    sweep(folder, datasets, catalogue)
    assert sorted(folder.datasets.iterdir()) == sorted([known, young])
    assert (known / "pictures").exists()


def test_a_weights_file_without_a_row_goes_once_it_is_old(
    database: Database, folder: DataFolder, catalogue: ModelCatalogue, tmp_path: Path
) -> None:
    version = catalogue.upload(saved(tmp_path, 1), "mine")
    known = aged(catalogue.path(version))
    orphan = aged(keep(saved(tmp_path, 2), folder, catalogue.check).path)
    young = keep(saved(tmp_path, 3), folder, catalogue.check).path
    twice = saved(tmp_path, 4)
    again = aged(keep(twice, folder, catalogue.check).path)
    keep(twice, folder, catalogue.check)  # is to have a row soon
    sweep(folder, DatasetStore(database), catalogue)
    assert sorted(folder.models.iterdir()) == sorted([known, young, again])
    assert not orphan.exists()


def test_where_all_have_rows_nothing_is_written(
    database: Database, folder: DataFolder, catalogue: ModelCatalogue, tmp_path: Path
) -> None:
    aged(catalogue.path(catalogue.upload(saved(tmp_path, 1), "mine")))
    before = catalogue.stamp()
    sweep(folder, DatasetStore(database), catalogue)
    assert catalogue.stamp() == before
