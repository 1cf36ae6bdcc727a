"""Middleware against cross-site requests, and the headers that browsers act on.

Any page in a browser can send requests to a service that only this browser's machine can reach. The page
cannot read the responses unless its origin is in ``N2N_CORS_ORIGINS``, but the requests take effect. So
requests that change something are rejected if they come from another site (CSRF).
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.errors import NO_SNIFFING, problem
from service.http.problem_types import CROSS_SITE

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ANY = "*"
DOCUMENTS = ("text/html", "image/svg+xml")
"""Media types that can contain scripts."""

DOCUMENT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}
"""Defaults for documents, unless a page sets its own."""

ALLOWED_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer",
    "X-Request-ID", "traceparent",
)  # fmt: skip
EXPOSED_HEADERS = (
    "Content-Disposition", "ETag", "Location", "N2N-Model", "N2N-Noise-Level", "N2N-Weights-SHA256",
    "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing", "WWW-Authenticate",
    "X-Request-ID",
)  # fmt: skip


class CrossSiteGuard:
    """Adds security headers to responses, and rejects changes requested by pages of other sites."""

    def __init__(self, app: ASGIApp, origins: Collection[str] = ()) -> None:
        self.app, self.origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _guard(MutableHeaders(scope=message))
            await send(message)

        if scope["method"] not in SAFE and ANY not in self.origins and self._is_foreign(scope):
            detail = "a page of another site requests a change, expected its origin in N2N_CORS_ORIGINS"
            await problem(Request(scope), CROSS_SITE, detail)(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)

    def _is_foreign(self, scope: Scope) -> bool:
        """Return whether a page of another site sent the request. Only browsers send these headers."""
        headers = Headers(scope=scope)
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin in self.origins:
            return False
        if site is not None:
            return site not in ("same-origin", "none")
        return origin is not None and urlsplit(origin).netloc != headers.get("host")


def cors(app: ASGIApp, origins: Collection[str]) -> CORSMiddleware:
    """Let pages of these origins send requests and read the responses."""
    return CORSMiddleware(
        app,
        origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
    )


def _guard(headers: MutableHeaders) -> None:
    headers.update(NO_SNIFFING)
    if headers.get("content-type", "").startswith(DOCUMENTS):
        for name, value in DOCUMENT_HEADERS.items():
            headers.setdefault(name, value)
