"""One attempt at a training: what it starts from."""

from pathlib import Path

import pytest

from n2n_core.errors import WeightsError
from service.jobs import attempt
from service.jobs.store import JobStore
from service.storage.data_folder import DataFolder
from service.storage.model_check import keep
from tests.service.small import saved


def test_damaged_weights_are_no_base(
    store: JobStore, dataset: str, folder: DataFolder, tmp_path: Path
) -> None:
    kept = keep(saved(tmp_path, 1), folder)
    kept.path.write_bytes(kept.path.read_bytes()[:-1] + b"x")
    job = store.create({}, "mine", dataset, base_sha256=kept.sha256)
    with pytest.raises(WeightsError, match=f"sha256 is .*, expected {kept.sha256}"):
        attempt.fit(job, folder, "cpu", lambda event: None, lambda: False)
