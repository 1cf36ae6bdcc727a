"""Import uploaded files as a dataset: read them, check them, and add a row; all or nothing."""

import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from n2n_core.device import is_out_of_memory
from n2n_core.errors import DataError
from n2n_core.files import atomic_path, storing
from service.exceptions import RefusedError
from service.processes.child import ChildDiedError
from service.processes.fair_pool import FairPool
from service.storage.data_folder import DataFolder, delete_folder, in_use
from service.storage.dataset_store import DatasetRecord, DatasetStore, Json
from service.storage.ids import uuid7

REPORT = "report.png"
"""File in the dataset's folder with the pictures of the checks' report."""

READING = "reading"
"""File in the workspace with the name of the picture that is being read."""

PICTURE_SECONDS = 60.0
"""CPU time that reading one picture may take. The largest pictures take a few seconds."""


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


@dataclass(frozen=True)
class Watch:
    """Notes in a file which picture is being read, and ends this process if one takes too much CPU time.

    The system ends it, as a decoder may neither return nor let another thread of Python run.
    """

    file: Path
    seconds: float

    def __call__(self, name: str) -> None:
        """Begin to read a picture; "" is none."""
        self.file.write_bytes(name.encode(errors="backslashreplace"))
        signal.setitimer(signal.ITIMER_PROF, self.seconds if name else 0)


def read(
    sources: Sequence[Path], request: ImportRequest, workspace: Path, limits: dict[str, int], seconds: float
) -> Findings:
    """Import a dataset to a folder of the ``workspace`` within ``Limits(**limits)``, and check it.

    Args:
        seconds: CPU time for one picture.

    Raises:
        DataError: the sources cannot be used, or need more memory than this process has.
        ConfigError: the options are not valid.
    """
    watch = Watch(workspace / READING, seconds)
    try:
        return _read(sources, request, _made(workspace), limits, watch)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise DataError(
            "reading the pictures takes more memory than an import may use (N2N_TRAIN_MEMORY, N2N_IMPORTS), "
            "expected smaller pictures, or fewer shots per scene"
        ) from error
    finally:
        watch("")


def _made(workspace: Path) -> Path:
    return workspace / "dataset"


def _read(
    sources: Sequence[Path], request: ImportRequest, target: Path, limits: dict[str, int], watch: Watch
) -> Findings:
    from n2n_core.datasets.checks.statistics import statistics
    from n2n_core.datasets.checks.suite import check_dataset
    from n2n_core.datasets.importing.archives import Limits
    from n2n_core.datasets.importing.importer import ImportOptions, import_dataset

    dataset = import_dataset(
        sources, request.kind, target, name=request.name, corruption=request.corruption,
        options=ImportOptions(request.rule, request.pages, request.data_range, Limits(**limits), watch),
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


async def read_sources(
    pool: FairPool,
    owner: str,
    timeout: float,
    workspace: Path,
    sources: Sequence[Path],
    request: ImportRequest,
    limits: dict[str, int],
) -> Findings:
    """Call ``read`` in a process of its own when it is the owner's turn. No process is left behind.

    Args:
        timeout: seconds that it may take.

    Raises:
        DataError: the sources cannot be used, or reading them takes too long or ended the process.
        ConfigError: the options are not valid.
        RefusedError: the service stops.
    """
    try:
        return await pool.run(owner, timeout, read, sources, request, workspace, limits, PICTURE_SECONDS)
    except TimeoutError as error:
        limit = f"the import takes more than {timeout:g} seconds (N2N_IMPORT_TIMEOUT)"
        raise DataError(f"{_where(workspace, sources)}: here {limit}, expected less to read") from error
    except ChildDiedError as error:
        if error.status is None:
            raise RefusedError("stopping", str(error), 1) from error
        if error.status == -signal.SIGPROF:
            got = f"it takes more than {PICTURE_SECONDS:g} seconds of CPU time to read"
        else:
            got = f"reading it ended the process ({_ending(error.status)})"
        raise DataError(f"{_where(workspace, sources)}: {got}, expected a usual picture") from error


def _where(workspace: Path, sources: Sequence[Path]) -> str:
    """Return the name of the picture that was being read, or those of the sources."""
    try:
        name = (workspace / READING).read_text()
    except FileNotFoundError:
        name = ""
    return name or ", ".join(source.name for source in sources[:3])


def _ending(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    hint = ", as the system does when memory runs out" if status == -signal.SIGKILL else ""
    return f"{signal.Signals(-status).name}{hint}"


def add_dataset(
    store: DatasetStore,
    folder: DataFolder,
    workspace: Path,
    request: ImportRequest,
    found: Findings,
    owner: str,
) -> DatasetRecord:
    """Add the dataset that was read in the ``workspace``, ready or refused.

    Raises:
        StorageQuotaError: the owner would have too many bytes.
    """
    dataset_id = uuid7()
    target = folder.dataset(dataset_id)
    _made(workspace).rename(target)
    try:
        return store.create(
            request.name,
            request.kind,
            dataset_id=dataset_id,
            owner=owner,
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
