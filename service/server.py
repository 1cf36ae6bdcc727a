"""Run the service."""

import gc
import logging
import resource
import signal
import socket
from ipaddress import ip_address
from math import ceil
from types import FrameType
from typing import Any

import uvicorn

from n2n_core.errors import ConfigError
from n2n_core.image import libtiff
from service import logs
from service.access.keyring import Keyring
from service.app import create_app
from service.http.protocol import MOST_REFUSED, Connection
from service.settings.server import read_settings

KEEP_ALIVE_SECONDS = 15
"""Until a connection without requests is closed: longer than clients keep one (httpx: 5 s), for what is
sent on it as it is closed gets no answer."""

OTHER_DESCRIPTORS = 256
"""For files, the database, and the lines to the service's processes."""

log = logging.getLogger("n2n.service")


def run(host: str, port: int, insecure: bool = False) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        insecure: let in whoever reaches the address, if there is no API key; as the setting does.

    Raises:
        ConfigError: a setting is bad, the address cannot be listened on, or others can reach it and
            there is no API key.
    """
    with listen(host, port) as listener:
        settings = read_settings()
        libtiff.silence()
        let_connect(settings.max_connections)
        app = create_app(settings)
        app.state.n2n.jobs.database.migrate()  # here, where what is wrong with it is told in a line
        if not (insecure or settings.insecure or is_loopback(listener)):
            require_keys(app.state.n2n.keyring, host)
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=logs.configuration(settings.log_format),
            access_log=False,  # ours has the request's id
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=ceil(settings.grace),
        )
        Server(config).run(sockets=[listener])


def let_connect(clients: int) -> None:
    """Let this process have the descriptors for so many connections, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + MOST_REFUSED + OTHER_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        told = "%d descriptors are allowed, %d wanted for N2N_MAX_CONNECTIONS=%d: ulimit -n"
        log.warning(told, most, wanted, clients)


def is_loopback(listener: socket.socket) -> bool:
    """Whether only programs of this machine reach the socket."""
    return ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def require_keys(keyring: Keyring, host: str) -> None:
    """Ask for keys from now on, if there is any.

    Raises:
        ConfigError: there is none.
    """
    keyring.look()
    if not keyring.required:
        raise ConfigError(
            f"{host} can be reached from other machines, and there is no API key: make one"
            " (n2n keys add NAME --scopes denoise,train,admin), or let everybody in (--insecure,"
            " or N2N_INSECURE=true)"
        )


class Server(uvicorn.Server):
    """Says where it listens, which uvicorn leaves to whoever made the socket, and drains on signals."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take on nothing more; what was taken on is finished."""
        app: Any = self.config.app
        app.state.n2n.pipeline.scheduler.drain()
        if (
            sig == signal.SIGTERM
        ):  # uvicorn would raise it anew at the end, and the status would tell of a fault
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, then listen."""
        await super().startup(sockets)
        gc.freeze()  # what is loaded stays; to search it for garbage holds all up for a tenth of a second
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            log.info("serving on http://%s:%d", f"[{host}]" if ":" in host else host, port)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}") from error
    return listener
