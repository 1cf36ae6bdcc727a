"""Errors of the service, beside those of ``n2n_core.errors``.

N2NError
|-- UnknownJobError, UnknownDatasetError    no row has this id
|-- ConflictError        not possible in the state that the thing is in
|-- KeyInFlightError     a request with this idempotency key has not been answered yet
|-- KeyReusedError       the idempotency key came with another request before
`-- LeaseLostError       the job belongs to another attempt: stop, and write nothing
Exception
|-- RefusedError         the scheduler does not accept this work now
`-- DeadlineError        the request's time was over before its work was done
"""

from typing import Literal

from n2n_core.errors import N2NError

Reason = Literal["overloaded", "stopping", "too_late"]
"""Why the scheduler rejects work: the code of the problem that the client gets."""


class UnknownJobError(N2NError, KeyError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"unknown job {job_id!r}")

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0])


class UnknownDatasetError(N2NError, KeyError):
    """No dataset has this id."""

    def __init__(self, dataset_id: str) -> None:
        super().__init__(f"unknown dataset {dataset_id!r}")

    def __str__(self) -> str:
        return str(self.args[0])


class ConflictError(N2NError):
    """What is asked for is not possible in the state that the job, dataset or model is in."""


class KeyInFlightError(N2NError):
    """A request with this idempotency key has not been answered yet."""


class KeyReusedError(N2NError):
    """The idempotency key came with another request before."""


class LeaseLostError(N2NError):
    """The job belongs to another attempt, or has ended: whoever meets this stops and writes nothing."""

    def __init__(self, job_id: str, fence: int) -> None:
        super().__init__(f"job {job_id}: fence {fence} is stale")


class RefusedError(Exception):
    """Work that is not accepted: the queue is full, the service is stopping, or the result would be late.

    Args:
        reason: the problem's code.
        retry_after: seconds after which the client may try again.
    """

    def __init__(self, reason: Reason, detail: str, retry_after: float) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.retry_after = reason, detail, retry_after


class DeadlineError(Exception):
    """A request's time was over before its work was done."""
