"""``POST /denoise`` with a small raw body, without the web framework's machinery.

It is the framework's own endpoint, called directly: reading parameters by their declared types,
resolving dependencies and the like cost more there than denoising a small picture. Whatever is
not plain, or wrong, is left to the framework, so that answers and errors are the same.
"""

from types import SimpleNamespace
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from n2n_core.models.names import AUTO
from service.api.denoise.request import Order
from service.api.denoise.single import FORMATS, admit, respond
from service.api.dependencies import State
from service.http.errors import answer
from service.inference.pipeline import TINY_BYTES

PATH = "/denoise"
ROUTE = SimpleNamespace(path=PATH)
"""What the log and the metrics take for the route."""


class FastRoute:
    """Answers small raw pictures itself, and hands on everything else."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self.state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        query = self._plain(scope)
        if query is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = ROUTE
        response = await self._answer(scope, receive, query)
        await response(scope, receive, send)

    def _plain(self, scope: Scope) -> dict[str, str] | None:
        """The parameters of a request that this can answer; None for another."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            return None
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        small = length.isdecimal() and 0 < int(length) <= TINY_BYTES
        if not small or not headers.get("content-type", "").startswith("image/"):
            return None
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        named = query.keys() <= {"model", "format"} and query.get("model") != AUTO
        is_plain = named and query.get("format", "png") in FORMATS
        return query if is_plain else None

    async def _answer(self, scope: Scope, receive: Receive, query: dict[str, str]) -> Response:
        request = Request(scope, receive)
        try:
            accept = ", ".join(request.headers.getlist("accept"))
            served = await admit(request, self.state, query.get("model"))
            data = await _body(receive)
            return await respond(self.state, served, Order(data, query.get("format"), accept))
        except Exception as error:
            return await answer(request, error)


async def _body(receive: Receive) -> bytes:
    message: Message = await receive()
    data: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        data += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return data
