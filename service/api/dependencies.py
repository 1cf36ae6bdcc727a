"""The app's collaborators, and the FastAPI dependencies by which endpoints ask for them.

An endpoint declares what it uses (``jobs: JobsDep``), and passes it on to its helpers.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Annotated, Any

from fastapi import Depends, Request

from service.access.keyring import Keyring
from service.api.one_by_one import OneByOne
from service.inference.loaded_models import LoadedModels
from service.inference.pipeline import Pipeline
from service.inference.scheduler import Scheduler
from service.jobs.store import JobStore
from service.jobs.supervisor import Supervisor
from service.processes.fair_pool import FairPool
from service.settings.server import Settings
from service.storage.data_folder import DataFolder
from service.storage.dataset_store import DatasetStore
from service.storage.idempotency import IdempotencyKeys
from service.storage.model_catalogue import ModelCatalogue
from service.storage.receiving import Receiving
from service.telemetry import Telemetry


@dataclass(frozen=True)
class State:
    """The collaborators of one app, made by ``create_app`` and kept as ``app.state.n2n``."""

    settings: Settings
    loaded_models: LoadedModels
    pipeline: Pipeline
    telemetry: Telemetry
    jobs: JobStore
    datasets: DatasetStore
    catalogue: ModelCatalogue
    idempotency_keys: IdempotencyKeys
    keyring: Keyring
    folder: DataFolder
    supervisor: Supervisor
    imports: FairPool
    receiving: Receiving
    thumbnails: OneByOne
    checks: OneByOne
    exports: OneByOne


async def _state(request: Request) -> State:
    state = request.app.state.n2n
    assert isinstance(state, State)
    return state


def _part(path: str) -> Any:
    """Return the dependency on ``state.path``."""
    get = attrgetter(path)

    async def part(request: Request) -> Any:  # async, because FastAPI runs other functions in a thread
        return get(request.app.state.n2n)

    return Depends(part)


async def _owner(request: Request) -> str:
    """Return who makes the request: the fingerprint of its API key, or "" if it has none."""
    return str(getattr(request.state, "owner", ""))


StateDep = Annotated[State, Depends(_state)]

SettingsDep = Annotated[Settings, _part("settings")]
LoadedModelsDep = Annotated[LoadedModels, _part("loaded_models")]
SchedulerDep = Annotated[Scheduler, _part("pipeline.scheduler")]
TelemetryDep = Annotated[Telemetry, _part("telemetry")]
JobsDep = Annotated[JobStore, _part("jobs")]
DatasetsDep = Annotated[DatasetStore, _part("datasets")]
CatalogueDep = Annotated[ModelCatalogue, _part("catalogue")]
KeyringDep = Annotated[Keyring, _part("keyring")]
FolderDep = Annotated[DataFolder, _part("folder")]
SupervisorDep = Annotated[Supervisor, _part("supervisor")]
ImportsDep = Annotated[FairPool, _part("imports")]
ReceivingDep = Annotated[Receiving, _part("receiving")]
ThumbnailsDep = Annotated[OneByOne, _part("thumbnails")]
ChecksDep = Annotated[OneByOne, _part("checks")]
ExportsDep = Annotated[OneByOne, _part("exports")]
OwnerDep = Annotated[str, Depends(_owner)]
