"""Run the service."""

import socket

import uvicorn

from n2n_core.errors import ConfigError
from service.app import create_app
from service.settings import read_settings


def run(host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        ConfigError: a setting is bad, or the address cannot be listened on.
    """
    listener = listen(host, port)
    with listener:
        app = create_app(read_settings())
        uvicorn.Server(uvicorn.Config(app)).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}") from error
    return listener
