"""Middleware that limits the size of request bodies, and the time that clients take to send them."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.errors import ProblemError, problem, retry_after
from service.http.problem_types import BODY_TOO_LARGE, OVERLOADED, READ_TIMEOUT, TOTAL_TIMEOUT
from service.settings.server import Settings


class BodyLimit:
    """Limits the size of each body, the total size of all bodies in memory, and the time to wait for them.

    A body is rejected as soon as its announced length, or what has been received, exceeds a limit. Only what
    was received counts towards the total, so that nobody gets room by promising to send, and it counts until
    the request is answered, as the picture waits for its turn.

    Args:
        own: path to (name of the setting, limit in bytes) for POST bodies that go to disk or are small.
            These have a limit of their own, and do not count towards the total in memory.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, own: Mapping[str, tuple[str, int]] = MappingProxyType({})
    ) -> None:
        self.app, self.settings, self.own = app, settings, own
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that is counted and timed."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        text = Headers(scope=scope).get("content-length", "0")
        announced = int(text) if text.isdecimal() else 0
        own = self.own.get(scope["path"]) if scope["method"] == "POST" else None
        body = _SeparateBody(self, *own) if own else _Body(self)
        rate = _BodyRate(self.settings)
        scope.setdefault("state", {})["deadline"] = rate.deadline
        try:
            body.check(announced)
            body.check_total(announced)
        except ProblemError as error:
            refusal = problem(Request(scope), error.type, error.detail, headers=error.headers)
            await refusal(scope, receive, send)
            return

        async def receive_counted() -> Message:
            if body.read:
                return await receive()
            message = await rate.next(receive)
            body.add(len(message.get("body", b"")))
            body.read = not message.get("more_body", False)
            return message

        try:
            await self.app(scope, receive_counted, send)
        finally:
            body.release()


def time_left(request: Request) -> float:
    """Return the seconds left for the request; reading the body counts."""
    deadline: float = request.state.deadline
    return deadline - asyncio.get_running_loop().time()


class _BodyRate:
    """Time allowance of one body: bytes received extend it, up to ``read_timeout`` seconds."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.patience = settings.read_timeout
        self._clock = asyncio.get_running_loop().time
        self.deadline = self._clock() + settings.total_timeout

    async def next(self, receive: Receive) -> Message:
        """Return the next message of the body. Only the time spent waiting for it uses up the allowance."""
        began = self._clock()
        try:
            async with asyncio.timeout(min(self.patience, self.deadline - began)):
                message = await receive()
        except TimeoutError as error:
            raise self._refusal() from error
        gained = len(message.get("body", b"")) / self.settings.min_rate
        spent = self._clock() - began
        self.patience = min(self.patience - spent + gained, self.settings.read_timeout)
        return message

    def _refusal(self) -> ProblemError:
        settings, close = self.settings, {"Connection": "close"}
        if self._clock() >= self.deadline:
            detail = f"the body did not arrive within {settings.total_timeout:g} seconds (N2N_TOTAL_TIMEOUT)"
            return ProblemError(TOTAL_TIMEOUT, detail, headers=close)
        rate = f"at least {settings.min_rate} bytes per second (N2N_MIN_RATE)"
        start = f"the first {settings.read_timeout:g} seconds (N2N_READ_TIMEOUT)"
        detail = f"the body arrived too slowly, expected {rate} after {start}"
        return ProblemError(READ_TIMEOUT, detail, headers=close)


class _Body:
    """Bytes of one body, counted against its own limit and the total."""

    def __init__(
        self, limit: BodyLimit, setting: str = "N2N_MAX_BYTES", max_bytes: int | None = None
    ) -> None:
        self.limit, self.setting, self.received, self.held = limit, setting, 0, 0
        self.read = False
        self.max_bytes = limit.settings.max_bytes if max_bytes is None else max_bytes

    def add(self, count: int) -> None:
        """Count bytes that were received."""
        self.received += count
        self.check(self.received)
        self.check_total(count)
        self._hold(count)

    def check(self, size: int) -> None:
        """Raise ``ProblemError`` if this body is too large."""
        if size > self.max_bytes:
            got = f"{size} bytes" if size > self.received else f"more than {self.max_bytes} bytes"
            detail = f"the body has {got}, expected at most {self.max_bytes} ({self.setting})"
            raise ProblemError(BODY_TOO_LARGE, detail)

    def check_total(self, more: int) -> None:
        """Raise ``ProblemError`` if all bodies together are too large with ``more`` bytes of this one.

        One that is alone may be as large as it likes.
        """
        others, most = self.limit.held - self.held, self.limit.settings.max_body_bytes
        if others and self.limit.held + more > most:
            detail = f"bodies of {self.limit.held} bytes are in memory, expected at most {most}"
            raise ProblemError(
                OVERLOADED, f"{detail} with {more} more (N2N_MAX_BODY_BYTES)", headers=retry_after(1)
            )

    def release(self) -> None:
        """Stop counting this body towards the total."""
        self.limit.held -= self.held
        self.held = 0

    def _hold(self, count: int) -> None:
        self.limit.held += count
        self.held += count


class _SeparateBody(_Body):
    """A body that takes little memory, so it does not count towards the total."""

    def __init__(self, limit: BodyLimit, setting: str, max_bytes: int) -> None:
        super().__init__(limit, setting, max_bytes)

    def check_total(self, more: int) -> None:
        """Do nothing: it does not count."""

    def _hold(self, count: int) -> None:
        pass
