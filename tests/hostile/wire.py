"""Exchange raw bytes with a server, without a library that would correct them."""

import json
import re
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

IMAGE = "Content-Type: image/png"
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answers:
    """All that came back, until the server was done, or silent."""

    content: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """Of each answer."""
        return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.content)]

    @property
    def problem(self) -> dict[str, Any]:
        """The last answer, which must be one."""
        head, _, body = self.content[self.content.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
        assert b"application/problem+json" in head, self.content
        found: dict[str, Any] = json.loads(body)
        return found


def request(*head: str, body: bytes = b"", target: str = "POST /denoise") -> bytes:
    """A request with exactly these fields, and Host."""
    return "\r\n".join([f"{target} HTTP/1.1", "Host: localhost", *head, "", ""]).encode() + body


def exchange(port: int, *pieces: bytes, patience: float = 0.5) -> Answers:
    """Send all pieces, as far as the server takes them; read until it closes, or is silent."""
    with socket.create_connection((HOST, port)) as connection:
        connection.settimeout(10)
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # it has heard enough
        return read(connection, patience)


def read(connection: socket.socket, patience: float) -> Answers:
    """What comes until the end, or ``patience`` seconds after the last of it (but 10 for the first)."""
    content, connection_closed = b"", False
    try:
        while True:
            connection.settimeout(patience if content else 10)
            piece = connection.recv(2**16)
            if not piece:
                connection_closed = True
                break
            content += piece
    except TimeoutError:
        pass
    except OSError:
        connection_closed = True
    return Answers(content, connection_closed)


def drip(
    port: int, start: bytes, rest: Iterable[bytes], pause: float, longest: float
) -> tuple[Answers, float]:
    """Send ``start``, then the rest piece by piece; what came, and the seconds until the server was done."""
    began = time.monotonic()
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(start)
        connection.settimeout(pause)
        content = b""
        for piece in rest:
            assert time.monotonic() - began < longest, "it is still served"
            try:
                connection.sendall(piece)
                found = connection.recv(2**16)
                if not found:
                    return Answers(content, True), time.monotonic() - began
                content += found
            except TimeoutError:
                continue
            except OSError:
                return Answers(content, True), time.monotonic() - began
        raise AssertionError("the rest was too short")
