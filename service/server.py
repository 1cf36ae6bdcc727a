"""Run the service."""

import gc
import logging
import resource
import signal
import socket
from errno import EADDRINUSE
from ipaddress import ip_address
from math import ceil
from os import strerror
from types import FrameType
from typing import Any

import uvicorn

from n2n_core.errors import ConfigError
from n2n_core.image import libtiff
from service import logs
from service.access.keyring import Keyring
from service.app import create_app
from service.http.hosts import OWN
from service.http.protocol import MOST_REFUSED, Connection
from service.settings.server import read_settings

KEEP_ALIVE_SECONDS = 15
"""Seconds until an idle connection is closed. Clients must close theirs first (httpx: after 5 s), because a
request sent while the server closes the connection gets no response."""

OTHER_DESCRIPTORS = 256
"""Descriptors for files, the database, and pipes to the service's processes."""

log = logging.getLogger("n2n.service")


def run(host: str, port: int, insecure: bool = False) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        insecure: accept requests from other machines even if there is no API key, like the setting.

    Raises:
        ConfigError: a setting is bad, the address cannot be listened on, or others can reach it and
            there is no API key.
    """
    with listen(host, port) as listener:
        settings = read_settings()
        if is_loopback(listener) and not settings.allowed_hosts:
            settings = settings.model_copy(update={"allowed_hosts": (OWN,)})
        libtiff.silence()
        let_connect(settings.max_connections)
        app = create_app(settings)
        app.state.n2n.jobs.database.migrate()  # here, so that an error is one line, not a traceback
        if not (insecure or settings.insecure or is_loopback(listener)):
            require_keys(app.state.n2n.keyring, host)
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=logs.configuration(settings.log_format),
            access_log=False,  # ours logs the request's id
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=ceil(settings.grace),
        )
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as by nohup
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        Server(config).run(sockets=[listener])


def let_connect(clients: int) -> None:
    """Raise the limit of open descriptors for this many connections, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + MOST_REFUSED + OTHER_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        message = "%d descriptors are allowed, %d wanted for N2N_MAX_CONNECTIONS=%d: ulimit -n"
        log.warning(message, most, wanted, clients)


def is_loopback(listener: socket.socket) -> bool:
    """Return whether the socket can only be reached from this machine."""
    return ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def require_keys(keyring: Keyring, host: str) -> None:
    """Require API keys from now on.

    Raises:
        ConfigError: there is no key.
    """
    keyring.look()
    if not keyring.required:
        raise ConfigError(
            f"{host} can be reached from other machines, and there is no API key: make one"
            " (n2n keys add NAME --scopes denoise,train,admin), or allow access without one (--insecure,"
            " or N2N_INSECURE=true)"
        )


class Server(uvicorn.Server):
    """Logs its address, as uvicorn does not for a given socket, and drains on signals."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Finish the requests in progress, and accept no more."""
        app: Any = self.config.app
        app.state.n2n.pipeline.scheduler.drain()
        if (
            sig == signal.SIGTERM
        ):  # uvicorn would raise it again at the end, so the exit status would not be 0
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, then log the address.

        Raises:
            ConfigError: another program took the port meanwhile.
        """
        addresses = [listener.getsockname()[:2] for listener in sockets or []]
        try:
            await super().startup(sockets)
            if any(listener.fileno() < 0 for listener in sockets or []):  # uvloop closes it without an error
                raise OSError(EADDRINUSE, strerror(EADDRINUSE))
        except OSError as error:
            await self.lifespan.shutdown()
            (host, port), *_ = addresses
            raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        gc.freeze()  # loaded objects stay; a garbage collection of them blocks the loop for 0.1 s
        for host, port in addresses:
            log.info("serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}") from error
    return listener
