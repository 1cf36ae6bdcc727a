"""Middleware that answers only requests for a host by one of its names.

A page of another site can make a browser resolve the page's own name to 127.0.0.1 (DNS rebinding). It is then
of the same origin as the service. The header ``Host`` gives it away.
"""

from collections.abc import Collection
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.errors import problem
from service.http.problem_types import MISDIRECTED_REQUEST, NOT_HTTP

ANY, OWN = "*", "localhost"
"""All hosts; ``localhost`` stands for every loopback address, too."""


class AllowedHosts:
    """Rejects requests whose ``Host`` is not allowed, missing, or given twice.

    Args:
        hosts: names and addresses, without ports; ``*`` for any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app, self.hosts = app, {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or reject it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            detail = f"the request has {len(given)} headers Host, expected one"
            await problem(Request(scope), NOT_HTTP, detail)(scope, receive, send)
        elif not self._allows(plain(given[0])):
            known = ", ".join(sorted(self.hosts))
            detail = f"Host is {given[0]!r}, expected one of: {known} (N2N_ALLOWED_HOSTS)"
            await problem(Request(scope), MISDIRECTED_REQUEST, detail)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _allows(self, host: str) -> bool:
        return ANY in self.hosts or host in self.hosts or (OWN in self.hosts and _is_loopback(host))


def plain(host: str) -> str:
    """Return the name or address in a ``Host`` header.

    >>> plain("LocalHost:8000"), plain("[::1]:8000"), plain("example.org.")
    ('localhost', '::1', 'example.org')
    """
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
