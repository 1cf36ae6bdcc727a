"""What an app holds, and how endpoints ask for it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.access.keyring import Keyring
from service.aside import Aside
from service.jobs.catalogue import Catalogue
from service.jobs.datasets import DatasetStore
from service.jobs.folders import DataFolder
from service.jobs.idempotency import IdempotencyKeys
from service.jobs.runner import Supervisor
from service.jobs.store import JobStore
from service.registry import Registry
from service.settings import Settings
from service.telemetry import Telemetry
from service.worker import Worker


@dataclass(frozen=True)
class State:
    """One per app; made by ``create_app``."""

    settings: Settings
    registry: Registry
    worker: Worker
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
