"""What an app holds, and how endpoints ask for it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

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


def _state(request: Request) -> State:
    state = request.app.state.n2n
    assert isinstance(state, State)
    return state


StateDep = Annotated[State, Depends(_state)]
