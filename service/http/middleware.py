"""What happens to every request before an endpoint sees it."""

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
            self.status = CLIENT_CLOSED_REQUEST.status if self.hung_up else message["status"]
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
