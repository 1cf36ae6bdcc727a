"""HTTP/1.1 connections: uvicorn's protocol on httptools, with the limits that they do not have."""

import asyncio
import logging
from collections import deque
from typing import Any
from uuid import uuid4

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from service.http.errors import MEDIA_TYPE, REQUEST_ID, describe
from service.http.problem_types import (
    HEADERS_TOO_LARGE,
    NOT_HTTP,
    OVERLOADED,
    READ_TIMEOUT,
    ProblemType,
)
from service.settings.server import Settings

PIPELINED = 32
"""Most requests queued behind the one being answered. Current clients do not pipeline at all."""

LINGER = 2.0
"""Seconds that a rejected client may go on sending. An immediate reset could lose the response."""

MOST_REFUSED = 100
"""Connections beyond the limit that still get an error response. Any further ones are just closed."""

FRAMING = (b"content-length", b"transfer-encoding")

log = logging.getLogger("n2n.access")


class Connection(HttpToolsProtocol):
    """One client's connection, closed when the client exceeds a limit of the settings.

    - At most ``max_connections`` are open. Another one is rejected before anything is read from it, because
      it would hold a descriptor and buffers for as long as its client likes.
    - A request's head may have ``max_header_bytes`` bytes and take ``read_timeout`` seconds from its first
      byte. The size limit also holds for what is neither head nor body: chunk extensions, and trailers,
      which are dropped.
    - A body that the app does not read is received for ``LINGER`` seconds; then the connection is closed.
    - At most ``PIPELINED`` requests are queued.
    - The client must receive at least ``min_rate`` bytes of a response per second.
    - Upgrades to another protocol are ignored, as RFC 9110 (section 7.8) allows, and the request is
      answered. httptools alone would stop reading there and lose the body.

    ``body_limit`` limits the rate of the body, inside the app, which has to clean up after a timeout.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        app: Any = config.app
        self.settings: Settings = app.state.n2n.settings
        self.telemetry = app.state.n2n.telemetry
        self.pipeline: deque[Any]
        self._head = self._unaccounted = 0  # bytes of this head; bytes since the last head or piece of body
        self._in_body = self._repeated = self._discarding = False
        self._refusal: tuple[ProblemType, str] | None = None  # why the parser was stopped
        self._waiting: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request, or reject the connection."""
        super().connection_made(transport)
        most = self.settings.max_connections
        if len(self.connections) > most + MOST_REFUSED:
            transport.abort()
        elif len(self.connections) > most:
            self._refuse(OVERLOADED, f"more than {most} clients are connected (N2N_MAX_CONNECTIONS)")
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        self._stop_waiting()
        self._stop_sending()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what was received, and reject what exceeds a limit."""
        self._unset_keepalive_if_required()
        if self._discarding:
            return
        if not self._in_body and self._waiting is None:
            self._wait()
        self._unaccounted += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(*self._refusal or (NOT_HTTP, f"the request is not HTTP/1.1: {error}"))
        else:
            if self._unaccounted > self.settings.max_header_bytes:
                self._refuse(*self._too_large())

    def on_message_begin(self) -> None:
        """Start timing the head at its first byte."""
        if self._repeated:
            return
        self._head = 0
        self._stop_waiting()
        self._wait()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count a piece of the request target."""
        if not self._repeated:
            self._count(url)
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header field, and drop it if it is a trailer."""
        if not self._repeated:
            self._count(name, value)
            if not self._in_body:
                super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop timing the head, and check the queue."""
        if self._repeated:
            return
        self._in_body, self._unaccounted, self._head = True, 0, 0
        self._stop_waiting()
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED:
            self._refusal = NOT_HTTP, f"more than {PIPELINED} requests wait for their answers"
            raise ValueError

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self._unaccounted = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the whole request was received."""
        if not self.parser.should_upgrade():  # otherwise only the head is complete
            self._in_body = False
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Close the connection soon if the response is complete but the request is not."""
        super().on_response_complete()
        if self._in_body and self.cycle.response_complete:
            self.loop.call_later(LINGER, self._close_unread, self.cycle)

    def pause_writing(self) -> None:
        """Start watching the rate at which the client receives."""
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        """Stop watching the rate: the client has received everything so far."""
        self._stop_sending()
        super().resume_writing()

    def _count(self, *pieces: bytes) -> None:
        self._head += sum(map(len, pieces)) + 4  # ": " and the line ending
        if self._head > self.settings.max_header_bytes:
            self._refusal = self._too_large()
            raise ValueError

    def _too_large(self) -> tuple[ProblemType, str]:
        most = self.settings.max_header_bytes
        detail = f"the request's headers have more than {most} bytes (N2N_MAX_HEADER_BYTES)"
        return HEADERS_TOO_LARGE, detail

    def _decline(self, rest: bytes) -> None:
        """Decline an upgrade: continue with a new HTTP/1.1 parser, which is given the framing headers."""
        framing = [b"%s: %s\r\n" % field for field in self.headers if field[0] in FRAMING]
        self.parser = httptools.HttpRequestParser(self)
        self._repeated = True
        try:
            self.parser.feed_data(b"".join([b"POST / HTTP/1.1\r\n", *framing, b"\r\n"]))
        finally:
            self._repeated = False
        if rest:
            self.data_received(rest)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.settings.read_timeout, self._end_waiting)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None

    def _end_waiting(self) -> None:
        self._waiting = None
        if self.cycle and not self.cycle.response_complete:
            self._wait()  # the previous request is being answered
        elif self._unaccounted:
            detail = f"the request's headers did not arrive within {self.settings.read_timeout:g} seconds"
            self._refuse(READ_TIMEOUT, f"{detail} (N2N_READ_TIMEOUT)")
        else:
            self.transport.close()

    def _close_unread(self, cycle: object) -> None:
        if self._in_body and self.cycle is cycle:
            self.transport.close()

    def _watch_sending(self) -> None:
        waiting = self.transport.get_write_buffer_size()
        self._sending = self.loop.call_later(self.settings.read_timeout, self._check_sending, waiting)

    def _stop_sending(self) -> None:
        if self._sending:
            self._sending.cancel()
            self._sending = None

    def _check_sending(self, before: int) -> None:
        expected = min(before, self.settings.min_rate * self.settings.read_timeout)
        if before - self.transport.get_write_buffer_size() < expected:
            self.transport.abort()
        else:
            self._watch_sending()

    def _refuse(self, type: ProblemType, detail: str) -> None:
        """Reject a request that never reaches the app, and close; send nothing into another response."""
        cycle = self.cycle
        self._stop_waiting()
        self._discarding = True
        if cycle and not cycle.response_complete:
            if cycle.response_started or self.pipeline:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self._write_problem(type, detail)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)

    def _write_problem(self, type: ProblemType, detail: str) -> None:
        request_id = uuid4().hex
        body = describe(type, detail, "", request_id).model_dump_json().encode()
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            REQUEST_ID: request_id,
            "Connection": "close",
            **({"Retry-After": "1"} if type is OVERLOADED else {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[type.status] + f"{head}\r\n".encode() + body)
        self.telemetry.problem(type.code)
        client = self.client[0] if self.client else ""
        fields = {"request_id": request_id, "status": type.status, "code": type.code, "client": client}
        log.info("refused", extra=fields)
