"""What an app holds, and how endpoints ask for it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access.keyring import Keyring
from service.inference.loaded_models import Registry
from service.inference.pipeline import Pipeline
from service.jobs.store import JobStore
from service.jobs.supervisor import Supervisor
from service.processes.background import Aside
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
    registry: Registry
    pipeline: Pipeline
    telemetry: Telemetry
    jobs: JobStore
    datasets: DatasetStore
    catalogue: Catalogue
    keys: IdempotencyKeys
    keyring: Keyring
    folder: DataFolder
    supervisor: Supervisor
    aside: Aside
    imports: Aside


def _state(request: Request) -> State:
    state = request.app.state.n2n
    assert isinstance(state, State)
    return state


StateDep = Annotated[State, Depends(_state)]
