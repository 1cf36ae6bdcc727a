"""What happens to every request before an endpoint sees it."""

import logging
import re
from collections.abc import Mapping
from time import perf_counter
from types import MappingProxyType
from urllib.parse import quote
from uuid import uuid4

import anyio
from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import CLIENT_CLOSED_REQUEST, REQUEST_ID, ProblemError, problem, retry_after
from service.telemetry import OTHER, Telemetry

OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""The ids that we take from a client: they go into the log as they are."""

LONG = 2**14
"""Bytes of a body from which on uvicorn may have stopped reading; a look costs as much as a log line."""

log = logging.getLogger("n2n.access")


class RequestId:
    """Gives every request an id, which its answer, its problems, the log and its trace carry.

    A client may bring its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the request, and its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = wanted if OWN_ID.fullmatch(wanted) else uuid4().hex
        trace.get_current_span().set_attribute("n2n.request_id", request_id)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        await self.app(scope, receive, send_named)


class Observe:
    """Counts every request, and writes its line of the log."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app, self.telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch the request from its first byte to its answer's last."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, exchange = perf_counter(), _Exchange(receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            self._report(scope, exchange, perf_counter() - began)

    def _report(self, scope: Scope, exchange: "_Exchange", seconds: float) -> None:
        method = scope["method"]
        bytes_out = 0 if method == "HEAD" else exchange.bytes_out
        route = getattr(scope.get("route"), "path", OTHER)
        self.telemetry.request(route, method, exchange.status, seconds, exchange.bytes_in, bytes_out)
        if exchange.hung_up:
            self.telemetry.disconnect()
        fields = {
            "request_id": scope["state"]["request_id"],
            "method": method,
            "path": quote(scope["path"]),
            "status": exchange.status,
            "ms": round(seconds * 1000, 1),
            "bytes_in": exchange.bytes_in,
            "bytes_out": bytes_out,
            "model": scope["state"].get("model"),
            "key": scope["state"].get("key"),
            "client": (scope.get("client") or [None])[0],
        }
        log.info("answered", extra={name: value for name, value in fields.items() if value is not None})


class _Exchange:
    """What passes between a client and the app."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.bytes_in = self.bytes_out = 0
        self.status = 500  # of an app that raises before it answers; Starlette does that outside of us
        self.hung_up = self._read = self._answered = False

    async def receive(self) -> Message:
        """Count what the client sends."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        self._read = not message.get("more_body", False)
        self.hung_up |= message["type"] == "http.disconnect" and not self._answered
        await self._look()  # uvicorn stops reading while a large body waits; this makes it go on
        return message

    async def send(self, message: Message) -> None:
        """Count what the client is sent."""
        if message["type"] == "http.response.start":
            await self._look()
            self.status = CLIENT_CLOSED_REQUEST if self.hung_up else message["status"]
        self.bytes_out += len(message.get("body", b""))
        self._answered = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def _look(self) -> None:
        """See whether the client is still there; once its body is read, nothing else can come."""
        if self._read and self.bytes_in > LONG and not self.hung_up and not self._answered:
            with anyio.CancelScope() as scope:
                scope.cancel()  # takes what is there already, and does not wait
                self.hung_up = (await self._receive())["type"] == "http.disconnect"


class Head:
    """Treats HEAD as GET, whose body the server then leaves out (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"}
        try:
            await self.app(inner, receive, send)
        finally:
            scope["route"] = inner.get("route")  # which the router leaves in the scope that it got


class BodyLimit:
    """Bounds what is read: each body by ``max_bytes``, and all that are under way together.

    A body is refused by its announced length, at once, or as soon as it exceeds a bound.

    Args:
        own: POST bodies to these paths, which go to the disk or are small: each has its own bound, by
            the setting of that name, and does not count among those that are read into memory.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        max_reading_bytes: int,
        own: Mapping[str, tuple[str, int]] = MappingProxyType({}),
    ) -> None:
        self.app, self.max_bytes, self.max_reading_bytes = app, max_bytes, max_reading_bytes
        self.own = own
        self.reading = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let at most ``max_bytes`` through."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        text = Headers(scope=scope).get("content-length", "0")
        announced = int(text) if text.isdecimal() else 0
        own = self.own.get(scope["path"]) if scope["method"] == "POST" else None
        body = _Apart(self, *own) if own else _Body(self, announced)
        try:
            body.check(announced)
        except ProblemError as error:
            body.release()
            refusal = problem(Request(scope), error.status, error.code, error.detail, headers=error.headers)
            await refusal(scope, receive, send)
            return

        async def receive_counted() -> Message:
            message = await receive()
            body.add(len(message.get("body", b"")))
            if not message.get("more_body", False):
                body.release()
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            body.release()


class _Body:
    """One request's share of what is being read."""

    def __init__(
        self, limit: BodyLimit, announced: int, setting: str = "N2N_MAX_BYTES", max_bytes: int | None = None
    ) -> None:
        self.limit, self.setting, self.received, self.held = limit, setting, 0, 0
        self.max_bytes = limit.max_bytes if max_bytes is None else max_bytes
        self._hold(min(announced, self.max_bytes))

    def add(self, count: int) -> None:
        """Count what has come."""
        self.received += count
        self._hold(self.received)
        self.check(self.received)

    def check(self, size: int) -> None:
        """Raise ``ProblemError`` if this body, or all together, are too large."""
        limit = self.limit
        if size > self.max_bytes:
            got = f"{size} bytes" if size > self.received else f"more than {self.max_bytes} bytes"
            detail = f"the body has {got}, expected at most {self.max_bytes} ({self.setting})"
            raise ProblemError(413, "body_too_large", detail)
        if limit.reading > max(limit.max_reading_bytes, self.held):
            detail = f"bodies of {limit.reading} bytes are being read, expected at most"
            detail += f" {limit.max_reading_bytes} (N2N_MAX_READING_BYTES)"
            raise ProblemError(503, "overloaded", detail, headers=retry_after(1))

    def release(self) -> None:
        """Nothing more is read."""
        self.limit.reading -= self.held
        self.held = 0

    def _hold(self, size: int) -> None:
        if size > self.held:
            self.limit.reading += size - self.held
            self.held = size


class _Apart(_Body):
    """A body that takes little memory: bounded by itself alone."""

    def __init__(self, limit: BodyLimit, setting: str, max_bytes: int) -> None:
        super().__init__(limit, 0, setting, max_bytes)

    def _hold(self, size: int) -> None:
        pass
