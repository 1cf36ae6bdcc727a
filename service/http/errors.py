"""Exception handlers: the only place that turns errors into responses, as RFC 9457 problem details."""

import errno
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from itertools import islice
from math import ceil
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from n2n_core.errors import (
    ImageError,
    ImageTooLargeError,
    N2NError,
    SeveralPagesError,
    ShapeError,
    StorageError,
    TooManyPagesError,
    UnknownModelError,
)
from service.exceptions import (
    ConflictError,
    DeadlineError,
    JobQuotaError,
    KeyInFlightError,
    KeyReusedError,
    RefusedError,
    StorageQuotaError,
    UnknownDatasetError,
    UnknownJobError,
)
from service.http import problem_types
from service.http.problem import FieldError, Problem
from service.http.problem_types import ProblemType
from service.processes.child import ChildDiedError

MEDIA_TYPE = "application/problem+json"
REQUEST_ID = "X-Request-ID"
NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
"""Tells browsers not to guess another content type. Set on error responses, too."""
MAX_DETAIL, MAX_ERRORS = 2000, 100
"""Largest length of a detail, in characters, and largest number of field errors in a response."""
# RFC 9110's phrases, where Python's differ between versions.
TITLES = {
    413: "Content Too Large",
    422: "Unprocessable Content",
    problem_types.CLIENT_CLOSED_REQUEST.status: "Client Closed Request",
}

# The first class that an error is an instance of decides. Any other error is an internal error.
CORE_ERRORS: dict[type[N2NError], ProblemType] = {
    UnknownModelError: problem_types.UNKNOWN_MODEL,
    ImageTooLargeError: problem_types.IMAGE_TOO_LARGE,
    TooManyPagesError: problem_types.TOO_MANY_FRAMES,
    SeveralPagesError: problem_types.SEVERAL_PAGES,
    ImageError: problem_types.BAD_IMAGE,
    ShapeError: problem_types.BAD_IMAGE,
    UnknownJobError: problem_types.UNKNOWN_JOB,
    UnknownDatasetError: problem_types.UNKNOWN_DATASET,
    ConflictError: problem_types.CONFLICT,
    KeyInFlightError: problem_types.KEY_IN_FLIGHT,
    KeyReusedError: problem_types.KEY_REUSED,
    JobQuotaError: problem_types.JOBS_EXCEEDED,
    StorageQuotaError: problem_types.STORAGE_EXCEEDED,
    StorageError: problem_types.STORAGE,
}

REFUSED = problem_types.by_code(
    problem_types.OVERLOADED, problem_types.STOPPING, problem_types.TOO_LATE, problem_types.UNAVAILABLE
)
"""Problem types by the ``reason`` of a ``RefusedError``."""

CHILD_SECONDS = 5
"""Seconds after which a client may try again, if a process that worked for it has ended."""

DISK_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
SQLITE_FAULTS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR}
"""Errors of a disk that is full or read-only."""

Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]

log = logging.getLogger("n2n.service")


class ProblemError(HTTPException):
    """A problem found in the HTTP layer. The framework passes it on, as it is an ``HTTPException``."""

    def __init__(
        self,
        type: ProblemType,
        detail: str,
        errors: Iterable[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(type.status, detail, headers)
        self.type, self.errors = type, list(errors)


def add_handlers(app: FastAPI) -> None:
    """Register a handler for every exception."""
    for kind, handler in _handlers().items():
        app.add_exception_handler(kind, handler)


async def answer(request: Request, error: Exception) -> JSONResponse:
    """Return the response for ``error``."""
    handlers = _handlers()
    return await next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)(request, error)


def _handlers() -> dict[type[Exception], Handler]:
    return {
        ProblemError: _own,
        N2NError: _core,
        RefusedError: _refused,
        DeadlineError: _deadline,
        ChildDiedError: _child,
        RequestValidationError: _validation,
        HTTPException: _http,
        ClientDisconnect: _disconnect,
        OSError: _system,
        OperationalError: _database,
        Exception: _unexpected,
    }


def problem(
    request: Request,
    type: ProblemType,
    detail: str,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Count a problem, and return it as a response."""
    request.app.state.n2n.telemetry.problem(type.code)
    request_id = getattr(request.state, "request_id", "")
    body = describe(type, detail, request.url.path, request_id, errors)
    own = {REQUEST_ID: request_id, **NO_SNIFFING, **(headers or {})}
    return JSONResponse(body.model_dump(), type.status, own, MEDIA_TYPE)


def describe(
    type: ProblemType, detail: str, path: str, request_id: str, errors: Iterable[FieldError] = ()
) -> Problem:
    """Return the body of a problem."""
    return Problem(
        title=title(type.status),
        status=type.status,
        detail=_sendable(detail),
        instance=quote(path, safe="/@"),
        code=type.code,
        request_id=request_id,
        errors=[
            FieldError(pointer=_sendable(error.pointer), detail=_sendable(error.detail))
            for error in islice(errors, MAX_ERRORS)
        ],
    )


def _sendable(text: str) -> str:
    """Shorten a text, and escape what is not Unicode, such as bytes of a file's name."""
    short = text if len(text) <= MAX_DETAIL else f"{text[:MAX_DETAIL]}..."
    return short.encode(errors="backslashreplace").decode()


async def _own(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    return problem(request, error.type, error.detail, error.errors, error.headers)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)
    headers = retry_after(error.retry_after)
    return problem(request, REFUSED[error.reason], error.detail, headers=headers)


async def _deadline(request: Request, error: Exception) -> JSONResponse:
    settings = "timeout, N2N_TIMEOUT, N2N_TOTAL_TIMEOUT"
    detail = f"the answer was not ready within the time limit ({settings})"
    return problem(request, problem_types.DEADLINE, detail, headers=retry_after(1))


async def _child(request: Request, error: Exception) -> JSONResponse:
    log.error("%s: %s", getattr(request.state, "request_id", ""), error)
    return problem(request, problem_types.UNAVAILABLE, str(error), headers=retry_after(CHILD_SECONDS))


def retry_after(seconds: float) -> dict[str, str]:
    """Return the ``Retry-After`` header."""
    return {"Retry-After": str(ceil(seconds))}


async def _core(request: Request, error: Exception) -> JSONResponse:
    for kind, row in CORE_ERRORS.items():
        if isinstance(error, kind):
            return problem(request, row, str(error))
    return await _unexpected(request, error)


async def _validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(pointer="/".join(map(str, fault["loc"])), detail=f"{fault['input']!r}: {fault['msg']}")
        for fault in error.errors()
    ]
    detail = "; ".join(f"{fault.pointer} is {fault.detail}" for fault in errors)
    return problem(request, problem_types.BAD_REQUEST, detail, errors)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    row = ProblemType(error.status_code, HTTPStatus(error.status_code).name.lower())
    detail = f"{request.method} {request.url.path}: {error.detail}"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return problem(request, row, detail, headers=headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods of all routes of the path. The framework lists those of the first route only."""
    routes, scope = request.app.routes, request.scope
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*found, "HEAD"] if "GET" in found else found  # see middleware.Head


async def _disconnect(request: Request, error: Exception) -> JSONResponse:
    return problem(request, problem_types.CLIENT_CLOSED_REQUEST, "the client disconnected")


async def _system(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    if error.errno not in DISK_FAULTS:
        return await _unexpected(request, error)
    return problem(request, problem_types.STORAGE, f"the upload cannot be written ({error.strerror})")


async def _database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OperationalError)
    code = getattr(error.orig, "sqlite_errorcode", 0)
    if code & 0xFF not in SQLITE_FAULTS:  # the higher bits only refine it
        return await _unexpected(request, error)
    return problem(request, problem_types.STORAGE, f"the database cannot be written ({error.orig})")


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    log.error("%s failed", request_id, exc_info=error, extra={"request_id": request_id})
    return problem(request, problem_types.INTERNAL_ERROR, "internal error; the server's log has the reason")


def title(status: int) -> str:
    """Return the reason phrase of a status."""
    return TITLES.get(status) or HTTPStatus(status).phrase
