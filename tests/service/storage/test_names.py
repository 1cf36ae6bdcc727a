"""Names that no database can store are treated as unknown."""

import pytest

from n2n_core.errors import UnknownModelError
from service.exceptions import UnknownDatasetError, UnknownJobError
from service.jobs.store import JobStore
from service.storage.data_folder import DataFolder
from service.storage.database import Database
from service.storage.dataset_store import DatasetStore
from service.storage.model_catalogue import ModelCatalogue

NAMES = ["\0", "a\0b", "\ud800", "x" * 5000, "'; drop table jobs; --"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_is_unknown(database: Database, folder: DataFolder, name: str) -> None:
    with pytest.raises(UnknownJobError):
        JobStore(database).get(name)
    with pytest.raises(UnknownDatasetError):
        DatasetStore(database).get(name)
    with pytest.raises(UnknownModelError):
        ModelCatalogue(database, folder).resolve(name)
