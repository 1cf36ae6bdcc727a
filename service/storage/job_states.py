"""The states of a job, and the only ways between them."""

from enum import StrEnum


class State(StrEnum):
    """Where a job stands."""

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
"""From each state to those that may follow it."""

ACTIVE = frozenset({State.STARTING, State.RUNNING, State.CANCELLING})
"""A trainer holds the job by its lease."""

ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


def leading_to(state: State) -> frozenset[State]:
    """The states that ``state`` may follow."""
    return frozenset(source for source, targets in TRANSITIONS.items() if state in targets)
