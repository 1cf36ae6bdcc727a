"""Removal of files and folders that a crash has left without a row.

Files are written before their rows, so recent ones are kept: they may get a row soon.
"""

from pathlib import Path

from sqlalchemy import select

from service.exceptions import UnknownDatasetError
from service.storage.data_folder import DataFolder, delete_folder, is_left
from service.storage.dataset_store import DatasetStore
from service.storage.model_catalogue import ModelCatalogue, hold
from service.storage.schema import versions


def sweep(folder: DataFolder, datasets: DatasetStore, catalogue: ModelCatalogue) -> None:
    """Remove dataset folders and weights files without a row that are older than a minute."""
    for path in folder.datasets.iterdir():
        if not path.name.startswith(".") and _is_old(path) and not _has_row(datasets, path.name):
            delete_folder(path)
    if not _without_row(catalogue):
        return  # without writing to the database, as the disk may be full
    with catalogue.database.write() as connection:
        hold(connection)  # so that none of them gets a row in the meantime
        for path in _without_row(catalogue):
            path.unlink(missing_ok=True)


def _is_old(path: Path) -> bool:
    try:
        return is_left(path)
    except FileNotFoundError:  # another starting service has removed it
        return False


def _has_row(datasets: DatasetStore, dataset_id: str) -> bool:
    try:
        datasets.get(dataset_id)
    except UnknownDatasetError:
        return False
    return True


def _without_row(catalogue: ModelCatalogue) -> list[Path]:
    """Return old weights files that belong to no version."""
    old = [path for path in catalogue.folder.models.glob("*.safetensors") if _is_old(path)]
    with catalogue.database.read() as connection:
        known = set(connection.execute(select(versions.c.sha256)).scalars())
    return [path for path in old if path.stem not in known]
