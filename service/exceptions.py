"""Errors of the service, in addition to ``n2n_core.errors``.

N2NError
|-- UnknownJobError, UnknownDatasetError    no row with this id
|-- ConflictError        not possible in the current state
|-- KeyInFlightError     a request with this idempotency key is still being processed
|-- KeyReusedError       the idempotency key was used with another request
|-- JobQuotaError        an owner would have too many unfinished jobs
|-- StorageQuotaError    an owner's datasets would have too many bytes
`-- LeaseLostError       the job belongs to another attempt: stop without writing
Exception
|-- RefusedError         the work cannot be done now
`-- DeadlineError        the request's time ran out
"""

from typing import Literal

from n2n_core.errors import N2NError

Reason = Literal["overloaded", "stopping", "too_late", "unavailable"]
"""Reason why work is rejected. It is the code of the problem that the client gets."""


class UnknownJobError(N2NError, KeyError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"unknown job {job_id!r}")

    def __str__(self) -> str:  # KeyError shows the repr of the message
        return str(self.args[0])


class UnknownDatasetError(N2NError, KeyError):
    """No dataset has this id."""

    def __init__(self, dataset_id: str) -> None:
        super().__init__(f"unknown dataset {dataset_id!r}")

    def __str__(self) -> str:
        return str(self.args[0])


class ConflictError(N2NError):
    """The request is not possible in the current state of the job, dataset or model."""


class KeyInFlightError(N2NError):
    """A request with this idempotency key is still being processed."""


class KeyReusedError(N2NError):
    """The idempotency key was used with another request."""


class JobQuotaError(N2NError):
    """An owner would have too many unfinished jobs."""


class StorageQuotaError(N2NError):
    """An owner's datasets would have too many bytes."""


class LeaseLostError(N2NError):
    """The job belongs to another attempt, or has ended. The attempt that gets this stops without writing."""

    def __init__(self, job_id: str, fence: int) -> None:
        super().__init__(f"job {job_id}: fence {fence} is stale")


class RefusedError(Exception):
    """Work is rejected: the queue is full, the service is stopping, it would take too long, or what it needs
    is not available.

    Args:
        reason: the problem's code.
        retry_after: seconds after which the client may try again.
    """

    def __init__(self, reason: Reason, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.retry_after = reason, detail, retry_after


class DeadlineError(Exception):
    """A request's time ran out before its work was done."""
