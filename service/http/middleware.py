"""Middleware for every request: request ids, logging, metrics, and HEAD."""

import logging
import re
from time import perf_counter
from urllib.parse import quote
from uuid import uuid4

import anyio
from opentelemetry import trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.errors import REQUEST_ID
from service.http.problem_types import CLIENT_CLOSED_REQUEST
from service.telemetry import OTHER, Telemetry

OWN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Request ids accepted from clients. They are logged unchanged."""

LONG = 2**14
"""Body size in bytes from which uvicorn may have stopped reading. Below it, checking for a disconnect (which
costs as much as a log line) is not needed."""

log = logging.getLogger("n2n.access")


class RequestId:
    """Gives every request an id that appears in its response, its errors, the log and its trace.

    Clients may send their own in ``X-Request-ID``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set the id on the request and its response."""
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
    """Records the metrics of every request, and logs it."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self.app, self.telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Measure the request from its first byte to the last byte of its response."""
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
    """Counts the bytes between a client and the app, and notices when the client disconnects."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.bytes_in = self.bytes_out = 0
        self.status = (
            500  # if the app raises before it responds: Starlette's own handler is outside this middleware
        )
        self.hung_up = self._read = self._answered = False

    async def receive(self) -> Message:
        """Count bytes from the client."""
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        self._read = not message.get("more_body", False)
        self.hung_up |= message["type"] == "http.disconnect" and not self._answered
        await self._check_disconnect()  # uvicorn pauses reading while a large body waits; this resumes it
        return message

    async def send(self, message: Message) -> None:
        """Count bytes to the client."""
        if message["type"] == "http.response.start":
            await self._check_disconnect()
            self.status = CLIENT_CLOSED_REQUEST.status if self.hung_up else message["status"]
        self.bytes_out += len(message.get("body", b""))
        self._answered = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def _check_disconnect(self) -> None:
        """Check whether the client has disconnected, which is all that can follow once its body is read."""
        if self._read and self.bytes_in > LONG and not self.hung_up and not self._answered:
            with anyio.CancelScope() as scope:
                scope.cancel()  # takes a message that is there already, without waiting
                self.hung_up = (await self._receive())["type"] == "http.disconnect"


class Head:
    """Handles HEAD as GET; the server then omits the body (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as GET."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"}
        try:
            await self.app(inner, receive, send)
        finally:
            scope["route"] = inner.get("route")  # the router sets it on the scope it was given
