"""Names that no database can hold are names of nothing."""

import pytest

from n2n_core.errors import UnknownModelError
from service.jobs.catalogue import Catalogue
from service.jobs.database import Database
from service.jobs.datasets import DatasetStore
from service.jobs.errors import UnknownDatasetError, UnknownJobError
from service.jobs.folders import DataFolder
from service.jobs.store import JobStore

NAMES = ["\0", "a\0b", "\ud800", "x" * 5000, "'; drop table jobs; --"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_cannot_be_is_unknown(database: Database, folder: DataFolder, name: str) -> None:
    with pytest.raises(UnknownJobError):
        JobStore(database).get(name)
    with pytest.raises(UnknownDatasetError):
        DatasetStore(database).get(name)
    with pytest.raises(UnknownModelError):
        Catalogue(database, folder).resolve(name)
