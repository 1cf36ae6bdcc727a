"""The states of a job, and the transitions between them."""

from enum import StrEnum


class State(StrEnum):
    """State of a job."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.CANCELLED}),
    State.STARTING: frozenset({State.RUNNING, State.QUEUED, State.CANCELLING, State.FAILED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.QUEUED, State.CANCELLING, State.FAILED}),
    State.CANCELLING: frozenset({State.CANCELLED, State.SUCCEEDED, State.FAILED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
}
"""The states that may follow each state."""

ACTIVE = frozenset({State.STARTING, State.RUNNING, State.CANCELLING})
"""States in which a trainer holds the lease of the job."""

ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


def leading_to(state: State) -> frozenset[State]:
    """Return the states that ``state`` may follow."""
    return frozenset(source for source, targets in TRANSITIONS.items() if state in targets)
