"""HTTP requests with retries, where sending a request twice is safe, and error answers as exceptions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import count
from random import uniform
from time import sleep
from typing import Any

import httpx

from n2n_client.errors import ArgumentError, ServiceError
from n2n_client.event_stream import MEDIA_TYPE, Message, messages
from n2n_client.version import __version__

IDEMPOTENT = frozenset({"GET", "DELETE"})
UNSENT = httpx.ConnectError, httpx.ConnectTimeout
"""Errors after which the request cannot have arrived."""

BROKEN = (*UNSENT, httpx.NetworkError, httpx.RemoteProtocolError)
"""Errors after which the request may have arrived. A read timeout is not one of them: the caller set it."""

BUSY = frozenset({429, 503})
"""Statuses with which the service turns a request away for now."""

GATEWAY = frozenset({502, 504})
"""Statuses from a proxy in front of the service: the request may have arrived."""

KEY_VARIABLE, KEY = "N2N_API_KEY", re.compile(r"[A-Za-z0-9._~+/-]+=*")

LONGEST_PAUSE, LONGEST_RETRY_AFTER = 8.0, 60.0
SILENCE_SECONDS = 45.0
"""Read timeout of an event stream. The service sends a heartbeat every 15 s, so a longer silence means
that the connection is dead or that a proxy buffers it."""


class Transport:
    """Sends requests to one service. Thread-safe.

    Args:
        url: base URL of the service.
        timeout: seconds that one attempt may wait for the network.
        retries: attempts after the first one.
        pause: seconds before the first retry, doubled after each, up to 8.
        key: API key to send with every request. None takes ``N2N_API_KEY``; an empty string sends none.

    Raises:
        ArgumentError: ``url`` or ``key`` is malformed.
    """

    def __init__(self, url: str, timeout: float, retries: int, pause: float, key: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ArgumentError(f"url is {url!r}, expected a URL such as http://localhost:8000")
        self.timeout, self.retries, self.pause = timeout, retries, pause
        headers = {"User-Agent": f"n2n/{__version__}"}
        self.key = os.environ.get(KEY_VARIABLE) if key is None else key
        if self.key:
            headers["Authorization"] = f"Bearer {_checked(self.key)}"
        try:
            self.http = httpx.Client(base_url=url, timeout=timeout, headers=headers)
        except httpx.InvalidURL as error:
            expected = "expected a URL such as http://localhost:8000"
            raise ArgumentError(f"url is {url!r}: {error}, {expected}") from error

    def send(self, method: str, path: str, *, idempotent: bool = False, **content: Any) -> httpx.Response:
        """Send a request, again if need be, and return the successful answer.

        Args:
            idempotent: sending the request twice is safe. Always true of GET and DELETE.
            content: other arguments of ``httpx.Client.request``.

        Raises:
            ServiceError: the service refuses, or all attempts failed.
        """
        idempotent = idempotent or method in IDEMPOTENT
        broken = False
        for attempt in count():
            last = attempt >= self.retries
            try:
                response = self.http.request(method, path, **content)
            except httpx.RequestError as error:
                if last or not isinstance(error, BROKEN if idempotent else UNSENT):
                    raise self._unreachable(error) from error
                broken = True
                sleep(self.backoff(attempt))
                continue
            if response.is_success or (broken and _deleted_before(method, response)):
                return response
            if last or not _is_worth_retrying(response, idempotent):
                raise refusal(response)
            sleep(_retry_after(response) or self.backoff(attempt))
        raise AssertionError  # count() has no end

    def events(self, path: str, after: str | None) -> Iterator[Message]:
        """Yield the events of a stream after the one with id ``after``, in a single attempt.

        Yields nothing if the service, or a proxy, is busy.

        Raises:
            ServiceError: there is no such stream.
            httpx.RequestError: the connection broke, or the stream was silent for too long.
        """
        headers = {"Accept": MEDIA_TYPE} | ({} if after is None else {"Last-Event-ID": after})
        timeout = httpx.Timeout(self.timeout, read=SILENCE_SECONDS)
        with self.http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.status_code in BUSY | GATEWAY:
                return
            if not response.is_success or not response.headers.get("content-type", "").startswith(MEDIA_TYPE):
                response.read()
                raise refusal(response)
            yield from messages(response.iter_bytes())

    def backoff(self, attempt: int) -> float:
        """Return the seconds to wait after failure number ``attempt`` (from 0), with random jitter."""
        longest = min(self.pause * 2 ** min(attempt, 10), LONGEST_PAUSE)
        return uniform(longest / 2, longest)  # noqa: S311 (no secret)

    def _unreachable(self, error: httpx.RequestError) -> ServiceError:
        reason = str(error) or type(error).__name__
        detail = f"{error.request.method} {error.request.url}: no answer ({reason})"
        return ServiceError(detail, "unreachable")


def _checked(key: str) -> str:
    """Return the key if a header can hold it (RFC 6750, section 2.1). The error does not quote it."""
    if not KEY.fullmatch(key):
        raise ArgumentError(
            "the API key contains characters that are not allowed, expected one made by n2n keys add"
        )
    return key


def refusal(response: httpx.Response) -> ServiceError:
    """Return the exception for an error answer."""
    request = response.request
    plain = f"{request.method} {request.url}: {response.status_code} {response.reason_phrase}".strip()
    problem = _problem(response)
    errors = [error for error in problem.get("errors") or () if isinstance(error, dict)]
    detail, code = problem.get("detail") or plain, problem.get("code") or "no_problem"
    return ServiceError(str(detail), str(code), response.status_code, errors)


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:  # a proxy's page
        return {}
    return body if isinstance(body, dict) else {}


def _is_worth_retrying(response: httpx.Response, idempotent: bool) -> bool:
    status = response.status_code
    in_flight = status == 409 and _problem(response).get("code") == "key_in_flight"
    return status in BUSY or in_flight or (idempotent and status in GATEWAY)


def _deleted_before(method: str, response: httpx.Response) -> bool:
    """Return whether an earlier attempt, whose answer was lost, has deleted it."""
    return method == "DELETE" and response.status_code == 404


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return min(float(text), LONGEST_RETRY_AFTER) if text.isdecimal() else None
