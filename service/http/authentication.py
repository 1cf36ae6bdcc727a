"""Middleware that checks the API key and the quota of a request before its body is read."""

from contextlib import ExitStack

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access import scopes
from service.access.keyring import Keyring
from service.access.keys import Key
from service.access.quota import QuotaError, Quotas
from service.http.errors import ProblemError, problem, retry_after
from service.http.problem_types import (
    CONCURRENCY_EXCEEDED,
    KEY_MISSING,
    KEY_UNKNOWN,
    RATE_EXCEEDED,
    SCOPE_MISSING,
    by_code,
)

SCHEME = "Bearer"
REALM = f'{SCHEME} realm="n2n"'
QUOTA_EXCEEDED = by_code(RATE_EXCEEDED, CONCURRENCY_EXCEEDED)
"""Problem types by the ``code`` of a ``QuotaError``."""


class Authentication:
    """Requires an API key for each request, if the service has keys, and enforces the key's quota."""

    def __init__(self, app: ASGIApp, keyring: Keyring, quotas: Quotas) -> None:
        self.app, self.keyring, self.quotas = app, keyring, quotas

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        needed = scopes.needed(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if needed is None:
            await self.app(scope, receive, send)
            return
        await self.keyring.refresh()
        if not self.keyring.required:
            await self.app(scope, receive, send)
            return
        with ExitStack() as request:
            try:
                key = self._admit(scope, needed)
                scope["state"]["key"] = key.name  # for the log
                scope["state"]["owner"] = key.sha256  # unlike a name, never given again
                headers = request.enter_context(self.quotas.using(key.sha256))
            except (ProblemError, QuotaError) as error:
                await _refuse(scope, receive, send, error)
                return
            await self.app(scope, receive, _with(headers, send))

    def _admit(self, scope: Scope, needed: scopes.Scope) -> Key:
        """Return the request's key.

        Raises:
            ProblemError: the request has no valid key (RFC 6750, section 3), or the key lacks the scope.
        """
        given = Headers(scope=scope).get("authorization", "")
        kind, _, secret = given.partition(" ")
        if kind.lower() != SCHEME.lower():
            detail = "this service requires an API key, expected the header Authorization: Bearer KEY"
            if self.keyring.is_empty:
                detail += "; there is none, make one: n2n keys add NAME --scopes denoise,train,admin"
            raise ProblemError(KEY_MISSING, detail, headers={"WWW-Authenticate": REALM})
        key = self.keyring.find(secret.strip())
        if key is None:
            detail = "the API key is unknown, expected one made by n2n keys add"
            challenge = f'{REALM}, error="invalid_token"'
            raise ProblemError(KEY_UNKNOWN, detail, headers={"WWW-Authenticate": challenge})
        if needed not in key.scopes:
            has = ", ".join(sorted(key.scopes))
            detail = (
                f"the key {key.name!r} lacks the scope {needed!r}, which this request needs; it has: {has}"
            )
            challenge = f'{REALM}, error="insufficient_scope", scope="{needed}"'
            raise ProblemError(SCOPE_MISSING, detail, headers={"WWW-Authenticate": challenge})
        return key


def _with(headers: dict[str, str], send: Send) -> Send:
    """Return a ``send`` that adds these headers to the response."""
    if not headers:
        return send

    async def send_more(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_more


async def _refuse(scope: Scope, receive: Receive, send: Send, error: ProblemError | QuotaError) -> None:
    if isinstance(error, QuotaError):
        headers = error.headers | retry_after(error.seconds)
        error = ProblemError(QUOTA_EXCEEDED[error.code], error.detail, headers=headers)
    refusal = problem(Request(scope), error.type, error.detail, headers=error.headers)
    await refusal(scope, receive, send)
