"""What browsers are told, and what is not taken from them.

A page that a browser shows may send requests to a service that only this browser's machine reaches.
The answers it cannot read, unless ``N2N_CORS_ORIGINS`` has its origin; but what the requests do is done.
So those that change anything are refused if they come from another site.
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
"""What a browser would run scripts of."""

DOCUMENT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
}
"""Unless a page brings its own."""

ASKED = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer",
    "X-Request-ID", "traceparent",
)  # fmt: skip
TOLD = (
    "Content-Disposition", "ETag", "Location", "N2N-Model", "N2N-Noise-Level", "N2N-Weights-SHA256",
    "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After", "Server-Timing", "WWW-Authenticate",
    "X-Request-ID",
)  # fmt: skip


class CrossSiteGuard:
    """Adds the headers that browsers go by, and refuses changes that other sites ask for."""

    def __init__(self, app: ASGIApp, origins: Collection[str] = ()) -> None:
        self.app, self.origins = app, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, or refuse."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _guard(MutableHeaders(scope=message))
            await send(message)

        if scope["method"] not in SAFE and ANY not in self.origins and self._is_foreign(scope):
            detail = "a page of another site asks for a change, expected its origin in N2N_CORS_ORIGINS"
            await problem(Request(scope), CROSS_SITE, detail)(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)

    def _is_foreign(self, scope: Scope) -> bool:
        """Whether another site's page asks; programs other than browsers send neither of these headers."""
        headers = Headers(scope=scope)
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin in self.origins:
            return False
        if site is not None:
            return site not in ("same-origin", "none")
        return origin is not None and urlsplit(origin).netloc != headers.get("host")


def cors(app: ASGIApp, origins: Collection[str]) -> CORSMiddleware:
    """Let pages of these origins ask, and read the answers."""
    return CORSMiddleware(
        app, origins, allow_methods=("GET", "POST", "DELETE"), allow_headers=ASKED, expose_headers=TOLD
    )


def _guard(headers: MutableHeaders) -> None:
    headers.update(NO_SNIFFING)
    if headers.get("content-type", "").startswith(DOCUMENTS):
        for name, value in DOCUMENT_HEADERS.items():
            headers.setdefault(name, value)
