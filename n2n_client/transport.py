"""Requests that are tried again, where that can do no harm, and answers that are errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import count
from random import uniform
from time import sleep
from typing import Any

import httpx

import n2n_core
from n2n_client.event_stream import MEDIA_TYPE, Message, messages
from n2n_core.errors import ConfigError, ServiceError

IDEMPOTENT = frozenset({"GET", "DELETE"})
UNSENT = httpx.ConnectError, httpx.ConnectTimeout
"""The request did not arrive."""

BROKEN = (*UNSENT, httpx.NetworkError, httpx.RemoteProtocolError)
"""Nobody knows whether the request arrived. A timeout of the answer is not among them: the caller set it."""

NOT_NOW = frozenset({429, 503})
GATEWAY = frozenset({502, 504})
"""Said by something in front of the service: nobody knows whether the request arrived."""

KEY_VARIABLE, KEY = "N2N_API_KEY", re.compile(r"[A-Za-z0-9._~+/-]+=*")

LONGEST_PAUSE, LONGEST_RETRY_AFTER = 8.0, 60.0
SILENCE_SECONDS = 45.0
"""A stream of events that is silent for so long is dead, or held back: the service beats every 15 s."""


class Transport:
    """Sends requests to one service. Thread-safe.

    Args:
        url: of the service.
        timeout: seconds that one attempt may wait for the network.
        retries: attempts after the first one.
        pause: seconds before the first retry; it doubles with each, up to 8.
        key: API key, sent with every request; that of the environment if None, none if empty.

    Raises:
        ConfigError: the URL, or the key, cannot be one.
    """

    def __init__(self, url: str, timeout: float, retries: int, pause: float, key: str | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"url is {url!r}, expected as http://localhost:8000")
        self.timeout, self.retries, self.pause = timeout, retries, pause
        headers = {"User-Agent": f"n2n/{n2n_core.__version__}"}
        self.key = os.environ.get(KEY_VARIABLE) if key is None else key
        if self.key:
            headers["Authorization"] = f"Bearer {_checked(self.key)}"
        try:
            self.http = httpx.Client(base_url=url, timeout=timeout, headers=headers)
        except httpx.InvalidURL as error:
            raise ConfigError(f"url is {url!r}: {error}, expected as http://localhost:8000") from error

    def send(self, method: str, path: str, *, harmless: bool = False, **content: Any) -> httpx.Response:
        """The answer, which is a success.

        Args:
            harmless: the request may arrive twice, as every GET and DELETE may.
            content: as ``httpx.Client.request`` takes it.

        Raises:
            ServiceError: the service refuses, or all attempts failed.
        """
        harmless = harmless or method in IDEMPOTENT
        broke = False
        for attempt in count():
            last = attempt >= self.retries
            try:
                response = self.http.request(method, path, **content)
            except httpx.RequestError as error:
                if last or not isinstance(error, BROKEN if harmless else UNSENT):
                    raise self._unreachable(error) from error
                broke = True
                sleep(self.backoff(attempt))
                continue
            if response.is_success or (broke and _deleted_before(method, response)):
                return response
            if last or not _may_come_again(response, harmless):
                raise refusal(response)
            sleep(_retry_after(response) or self.backoff(attempt))
        raise AssertionError  # count() has no end

    def events(self, path: str, after: str | None) -> Iterator[Message]:
        """One attempt at a stream of events, those after the one with id ``after``.

        Raises:
            ServiceError: there is no such stream.
            httpx.RequestError: the connection broke, or the stream was silent for too long.
        """
        headers = {"Accept": MEDIA_TYPE} | ({} if after is None else {"Last-Event-ID": after})
        timeout = httpx.Timeout(self.timeout, read=SILENCE_SECONDS)
        with self.http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.status_code in NOT_NOW | GATEWAY:
                return
            if not response.is_success or not response.headers.get("content-type", "").startswith(MEDIA_TYPE):
                response.read()
                raise refusal(response)
            yield from messages(response.iter_bytes())

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after the ``attempt``-th failure; no two clients the same."""
        longest = min(self.pause * 2 ** min(attempt, 10), LONGEST_PAUSE)
        return uniform(longest / 2, longest)  # noqa: S311  no secret

    def _unreachable(self, error: httpx.RequestError) -> ServiceError:
        reason = str(error) or type(error).__name__
        detail = f"{error.request.method} {error.request.url}: no answer ({reason})"
        return ServiceError(detail, "unreachable")


def _checked(key: str) -> str:
    """The key, if a header can hold it (RFC 6750, section 2.1); the error does not tell it."""
    if not KEY.fullmatch(key):
        raise ConfigError("the API key has characters that none has, expected one that n2n keys add has made")
    return key


def refusal(response: httpx.Response) -> ServiceError:
    """The error that an answer is."""
    request = response.request
    plain = f"{request.method} {request.url}: {response.status_code} {response.reason_phrase}".strip()
    problem = _problem(response)
    errors = [error for error in problem.get("errors") or () if isinstance(error, dict)]
    detail, code = problem.get("detail") or plain, problem.get("code") or "no_problem"
    return ServiceError(str(detail), str(code), response.status_code, errors)


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:  # a page of something in front of the service
        return {}
    return body if isinstance(body, dict) else {}


def _may_come_again(response: httpx.Response, harmless: bool) -> bool:
    status = response.status_code
    in_flight = status == 409 and _problem(response).get("code") == "key_in_flight"
    return status in NOT_NOW or in_flight or (harmless and status in GATEWAY)


def _deleted_before(method: str, response: httpx.Response) -> bool:
    """Whether an attempt whose answer was lost has done it."""
    return method == "DELETE" and response.status_code == 404


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return min(float(text), LONGEST_RETRY_AFTER) if text.isdecimal() else None
