"""Import uploaded files as a dataset: read them, check them, and add a row; all or nothing."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from n2n_core.device import is_out_of_memory
from n2n_core.errors import DataError
from n2n_core.files import atomic_path, storing
from service.processes.background import BackgroundProcess
from service.storage.data_folder import DataFolder, delete_folder, in_use
from service.storage.dataset_store import DatasetRecord, DatasetStore, Json
from service.storage.ids import uuid7

REPORT = "report.png"
"""File in the dataset's folder with the pictures of the checks' report."""


@dataclass(frozen=True)
class ImportRequest:
    """Options for reading the files; see ``n2n_core.datasets.importing.importer``."""

    kind: str
    name: str
    rule: str | None = None
    pages: str = "shots"
    data_range: float | None = None
    corruption: Json | None = None


@contextmanager
def upload_folder(folder: DataFolder) -> Iterator[Path]:
    """Make a temporary folder for an upload. The next start removes what a crash leaves of it."""
    path = folder.datasets / f".{uuid7()}.tmp"
    with storing(Path("the dataset")):
        path.mkdir(parents=True)
    try:
        with in_use(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Findings:
    """Fingerprint, statistics and check report of an imported dataset."""

    fingerprint: str
    figures: Json
    report: Json


def read(sources: Sequence[Path], request: ImportRequest, target: Path, limits: dict[str, int]) -> Findings:
    """Import a dataset to the folder ``target`` within ``Limits(**limits)``, and check it.

    Raises:
        DataError: the sources cannot be used, or need more memory than this process has.
        ConfigError: the options are not valid.
    """
    try:
        return _read(sources, request, target, limits)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise DataError(
            "reading the pictures takes more memory than an import may use (N2N_TRAIN_MEMORY), "
            "expected smaller pictures, or fewer shots per scene"
        ) from error


def _read(sources: Sequence[Path], request: ImportRequest, target: Path, limits: dict[str, int]) -> Findings:
    from n2n_core.datasets.checks.statistics import statistics
    from n2n_core.datasets.checks.suite import check_dataset
    from n2n_core.datasets.importing.archives import Limits
    from n2n_core.datasets.importing.importer import ImportOptions, import_dataset

    dataset = import_dataset(
        sources, request.kind, target, name=request.name, corruption=request.corruption,
        options=ImportOptions(request.rule, request.pages, request.data_range, Limits(**limits)),
    )  # fmt: skip
    report = check_dataset(dataset)
    with atomic_path(target / REPORT) as path:
        path.write_bytes(report.picture)
    return Findings(dataset.fingerprint, statistics(dataset).to_dict(), report.to_dict())


def thumbnail(folder: Path, scene: int, shot: int) -> bytes:
    """Return a small PNG of a shot of the dataset in ``folder``.

    Raises:
        IndexError: there is no such scene or shot.
    """
    from n2n_core.datasets import thumbnails
    from n2n_core.datasets.dataset import Dataset

    return thumbnails.thumbnail(Dataset.open(folder), scene, shot)


def import_sources(
    store: DatasetStore,
    folder: DataFolder,
    process: BackgroundProcess,
    workspace: Path,
    sources: Sequence[Path],
    request: ImportRequest,
    limits: dict[str, int],
) -> DatasetRecord:
    """Import and check ``sources`` in the folder ``workspace``, and add the dataset, ready or refused.

    Raises:
        DataError: the sources cannot be used.
        ConfigError: the options are not valid.
    """
    made, dataset_id = workspace / "dataset", uuid7()
    found = process.run(read, sources, request, made, limits)
    target = folder.dataset(dataset_id)
    made.rename(target)
    try:
        return store.create(
            request.name,
            request.kind,
            dataset_id=dataset_id,
            state="refused" if found.report["verdict"] == "refuse" else "ready",
            bytes=sum(path.stat().st_size for path in target.iterdir()),
            counts=found.figures,
            manifest={
                "rule": request.rule,
                "pages": request.pages,
                "data_range": request.data_range,
                "corruption": request.corruption,
                "fingerprint": found.fingerprint,
            },
            report=found.report,
        )
    except BaseException:
        delete_folder(target)
        raise


def delete_dataset(store: DatasetStore, folder: DataFolder, dataset_id: str) -> None:
    """Delete a dataset and its files.

    Raises:
        ConflictError: a job that has not ended uses it.
    """
    store.delete(dataset_id)
    delete_folder(folder.dataset(dataset_id))
