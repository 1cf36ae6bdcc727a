"""Every error that the client raises.

    ClientError
    |-- ArgumentError         a URL, an API key or a path to upload cannot be used
    `-- ServiceError          the service refuses a request, or does not answer

Each message quotes the bad value and says what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class ClientError(Exception):
    """The base class of the client's errors."""


class ArgumentError(ClientError, ValueError):
    """A URL, an API key or a path to upload cannot be used. Nothing was sent."""


class ServiceError(ClientError):
    """The service refuses a request, or does not answer.

    Args:
        detail: what is wrong.
        code: kind of problem, stable, for programs: ``unreachable`` if there was no answer,
            ``bad_answer`` if the client cannot read it.
        status: HTTP status of the answer, None if there was none.
        errors: what is wrong with single fields, each with ``pointer`` and ``detail``.
    """

    def __init__(
        self, detail: str, code: str, status: int | None = None, errors: Iterable[Mapping[str, str]] = ()
    ) -> None:
        self.detail, self.code, self.status, self.errors = detail, code, status, list(errors)
        super().__init__(detail, code, status, self.errors)  # what pickle calls the class with

    def __str__(self) -> str:
        more = [error.get("detail", "") for error in self.errors]
        return "; ".join([self.detail, *(text for text in more if text not in self.detail)])
