"""What a crash left between a file and its row: files and folders that no row names.

Both are on the disk before their row is, so one that is young may have a row soon.
"""

from pathlib import Path

from sqlalchemy import select

from service.exceptions import UnknownDatasetError
from service.storage.data_folder import DataFolder, delete_folder, is_left
from service.storage.dataset_store import DatasetStore
from service.storage.model_catalogue import ModelCatalogue, hold
from service.storage.schema import versions


def sweep(folder: DataFolder, datasets: DatasetStore, catalogue: ModelCatalogue) -> None:
    """Remove those of datasets and of models that nobody has written to for a minute."""
    for path in folder.datasets.iterdir():
        if not path.name.startswith(".") and _is_old(path) and not _has_row(datasets, path.name):
            delete_folder(path)
    if not _nameless(catalogue):
        return  # and nothing is written: the disk may be full
    with catalogue.database.write() as connection:
        hold(connection)  # so that none of them is entered meanwhile
        for path in _nameless(catalogue):
            path.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    try:
        return is_left(path)
    except FileNotFoundError:  # another service that starts was quicker
        return False


def _has_row(datasets: DatasetStore, dataset_id: str) -> bool:
    try:
        datasets.get(dataset_id)
    except UnknownDatasetError:
        return False
    return True


def _nameless(catalogue: ModelCatalogue) -> list[Path]:
    """Weights files that are no version of any model."""
    old = [path for path in catalogue.folder.models.glob("*.safetensors") if _is_old(path)]
    with catalogue.database.read() as connection:
        known = set(connection.execute(select(versions.c.sha256)).scalars())
    return [path for path in old if path.stem not in known]
