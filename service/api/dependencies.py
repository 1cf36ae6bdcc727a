"""What an app holds, and how endpoints ask for it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access.keyring import Keyring
from service.inference.loaded_models import LoadedModels
from service.inference.pipeline import Worker
from service.jobs.store import JobStore
from service.jobs.supervisor import Supervisor
from service.processes.background import BackgroundProcess
from service.settings.server import Settings
from service.storage.data_folder import DataFolder
from service.storage.dataset_store import DatasetStore
from service.storage.idempotency import IdempotencyKeys
from service.storage.model_catalogue import Catalogue
from service.telemetry import Telemetry


@dataclass(frozen=True)
class State:
    """One per app; made by ``create_app``."""

    settings: Settings
    loaded_models: LoadedModels
    worker: Worker
    telemetry: Telemetry
    jobs: JobStore
    datasets: DatasetStore
    catalogue: Catalogue
    keys: IdempotencyKeys
    keyring: Keyring
    folder: DataFolder
    supervisor: Supervisor
    background: BackgroundProcess
    imports: BackgroundProcess


def _state(request: Request) -> State:
    state = request.app.state.n2n
    assert isinstance(state, State)
    return state


StateDep = Annotated[State, Depends(_state)]
