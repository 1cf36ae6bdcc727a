"""From files to a dataset that jobs can train on: imported, checked, entered; whole or not at all."""

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
from service.storage.dataset_store import Dataset, DatasetStore, Json
from service.storage.ids import uuid7

REPORT = "report.png"
"""The pictures of the checks' report, beside the dataset."""


@dataclass(frozen=True)
class Order:
    """How to read what arrived; see ``n2n_core.datasets.importing.pipeline``."""

    kind: str
    name: str
    rule: str | None = None
    pages: str = "shots"
    data_range: float | None = None
    corruption: Json | None = None


@contextmanager
def arriving(folder: DataFolder) -> Iterator[Path]:
    """A folder for what is on its way; what a crash leaves of it, the next start removes."""
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
    """What is known of an imported dataset: its fingerprint, figures, and the checks' report."""

    fingerprint: str
    figures: Json
    report: Json


def read(sources: Sequence[Path], order: Order, target: Path, limits: dict[str, int]) -> Findings:
    """Make a dataset in the folder ``target``, within ``Limits(**limits)``, and look at it.

    Raises:
        DataError: the sources cannot be used, or not within this process' memory.
        ConfigError: the order cannot work.
    """
    try:
        return _read(sources, order, target, limits)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise DataError(
            "to read the pictures takes more memory than an import may have (N2N_TRAIN_MEMORY), "
            "expected smaller ones, or fewer shots of a scene"
        ) from error


def _read(sources: Sequence[Path], order: Order, target: Path, limits: dict[str, int]) -> Findings:
    from n2n_core.datasets.checks.checks import check
    from n2n_core.datasets.checks.statistics import statistics
    from n2n_core.datasets.importing.archives import Limits
    from n2n_core.datasets.importing.pipeline import Options, import_dataset

    options = Options(order.rule, order.pages, order.data_range, Limits(**limits))
    dataset = import_dataset(
        sources, order.kind, target, name=order.name, corruption=order.corruption, options=options
    )
    report = check(dataset)
    with atomic_path(target / REPORT) as path:
        path.write_bytes(report.picture)
    return Findings(dataset.fingerprint, statistics(dataset).to_dict(), report.to_dict())


def thumbnail(folder: Path, scene: int, shot: int) -> bytes:
    """A PNG of a shot of the dataset in ``folder``.

    Raises:
        IndexError: there is no such scene or shot.
    """
    from n2n_core.datasets import thumbnails
    from n2n_core.datasets.dataset import Dataset

    return thumbnails.thumbnail(Dataset.open(folder), scene, shot)


def enter(
    store: DatasetStore,
    folder: DataFolder,
    process: BackgroundProcess,
    workspace: Path,
    sources: Sequence[Path],
    order: Order,
    limits: dict[str, int],
) -> Dataset:
    """Import ``sources`` within ``workspace``, check them, and make a row: ready, or refused by a check.

    Raises:
        DataError: the sources cannot be used.
        ConfigError: the order cannot work.
    """
    made, dataset_id = workspace / "dataset", uuid7()
    found = process.run(read, sources, order, made, limits)
    target = folder.dataset(dataset_id)
    made.rename(target)
    try:
        return store.create(
            order.name,
            order.kind,
            dataset_id=dataset_id,
            state="refused" if found.report["verdict"] == "refuse" else "ready",
            bytes=sum(path.stat().st_size for path in target.iterdir()),
            counts=found.figures,
            manifest={
                "rule": order.rule,
                "pages": order.pages,
                "data_range": order.data_range,
                "corruption": order.corruption,
                "fingerprint": found.fingerprint,
            },
            report=found.report,
        )
    except BaseException:
        delete_folder(target)
        raise


def forget(store: DatasetStore, folder: DataFolder, dataset_id: str) -> None:
    """Delete a dataset with its pictures.

    Raises:
        ConflictError: a job that has not ended uses it.
    """
    store.delete(dataset_id)
    delete_folder(folder.dataset(dataset_id))
