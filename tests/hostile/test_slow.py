"""Clients that send or accept almost nothing are disconnected, and use no resources afterwards."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import httpx
import pytest

from service.http.protocol import MOST_REFUSED
from service.server import KEEP_ALIVE_SECONDS
from tests.hostile.conftest import LIMITS, READ_TIMEOUT, Server
from tests.hostile.wire import HOST, IMAGE, drip, read, request
from tests.pictures import drawn, file

JSON = "Content-Type: application/json"
FORM = "Content-Type: multipart/form-data; boundary=B"
LENGTH = "Content-Length: 100000"
PART = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
PAUSE = 0.1
"""Seconds between two bytes: ten a second, where a thousand are expected."""

HEADS = {
    "nothing": (b"", b""),
    "line feeds": (b"", b"\r\n"),
    "the target": (b"GET /", b"a"),
    "a field": (b"GET /healthz HTTP/1.1\r\nX-Name: ", b"a"),
    "many fields": (b"GET /healthz HTTP/1.1\r\n", b"X: a\r\n"),
    "a field after an answer": (request(target="GET /healthz") + b"GET /healthz HTTP/1.1\r\nX-Name: ", b"a"),
    "line feeds after an answer": (request(target="GET /healthz"), b"\r\n"),
    "line feeds after an upgrade": (
        request("Connection: Upgrade", "Upgrade: h2c", target="GET /healthz"), b"\r\n",
    ),
}  # fmt: skip
BODIES = {
    "a picture": request(IMAGE, LENGTH),
    "a picture for the fast route": request(IMAGE, "Content-Length: 1000"),
    "a picture in chunks": request(IMAGE, "Transfer-Encoding: chunked"),
    "a form": request(FORM, LENGTH, body=PART),
    "a batch": request(FORM, LENGTH, body=PART, target="POST /denoise/batch"),
    "a large file in a form": request(FORM, "Content-Length: 1900000", body=PART + bytes(1_500_000)),
    "a dataset": request(FORM, LENGTH, body=PART, target="POST /datasets"),
    "a dataset's folder": request(JSON, "Content-Length: 50", target="POST /datasets"),
    "a model": request("Content-Type: application/octet-stream", LENGTH, target="POST /models/m/versions"),
    "a job": request(JSON, "Content-Length: 50", target="POST /train-jobs"),
    "that nobody reads": request(LENGTH, target="GET /healthz"),
    "of an unknown endpoint": request(LENGTH, target="POST /nowhere"),
}  # fmt: skip
LONGEST = 2 * READ_TIMEOUT + 5


def test_slow_heads_are_cut_off(server: Server) -> None:
    with ThreadPoolExecutor(len(HEADS)) as pool:
        cut = [
            pool.submit(drip, server.port, start, repeat(byte, 1000), PAUSE, LONGEST)
            for start, byte in HEADS.values()
        ]
        for name, future in zip(HEADS, cut, strict=True):
            answers, seconds = future.result()
            assert seconds > 0.9 * READ_TIMEOUT, name
            if name.endswith("answer"):
                assert answers.statuses[:1] == [200], name
            if answers.statuses[-1:] == [408]:
                assert answers.problem["code"] == "read_timeout"
            else:
                assert set(answers.statuses) <= {200}, name


def test_slow_bodies_are_cut_off(server: Server) -> None:
    with ThreadPoolExecutor(len(BODIES)) as pool:
        cut = [
            pool.submit(
                drip,
                server.port,
                head,
                repeat(b"1\r\n1\r\n" if b"chunked" in head else b"1", 1000),
                PAUSE,
                LONGEST,
            )
            for head in BODIES.values()
        ]
        for name, future in zip(BODIES, cut, strict=True):
            answers, seconds = future.result()
            assert seconds > 0.9 * READ_TIMEOUT, name
            if name in ("that nobody reads", "of an unknown endpoint"):
                assert answers.statuses in ([200], [404]), name
            else:
                assert answers.statuses == [408], name
                assert answers.problem["code"] == "read_timeout", name


def test_connections_beyond_the_limit_are_refused_at_once(server: Server) -> None:
    most = int(LIMITS["N2N_MAX_CONNECTIONS"])
    connections = [socket.create_connection((HOST, server.port)) for _ in range(most + MOST_REFUSED + 50)]
    try:
        answers = [read(connection, 5) for connection in connections[most:]]
        assert all(answer.closed for answer in answers)
        told = [answer for answer in answers if answer.content]
        assert 0.8 * MOST_REFUSED < len(told) <= MOST_REFUSED
        for answer in told:
            assert (answer.statuses, answer.problem["code"]) == ([503], "overloaded")
            assert f"more than {most} clients are connected" in answer.problem["detail"]
    finally:
        for connection in connections:
            connection.close()
    deadline = time.monotonic() + LONGEST
    while httpx.get(f"{server.url}/healthz").status_code != 200:
        assert time.monotonic() < deadline


@pytest.mark.slow
def test_hundreds_of_slow_clients_keep_nobody_waiting(server: Server) -> None:
    heads = [*BODIES.values(), *(start for start, _ in HEADS.values())]
    connections = [socket.create_connection((HOST, server.port)) for _ in range(300)]
    try:
        for index, connection in enumerate(connections):
            connection.sendall(heads[index % len(heads)])
        png, like = file(drawn("RGB")), {"content-type": "image/png"}
        assert httpx.post(f"{server.url}/denoise", content=png, headers=like).status_code == 200
        for connection in connections:
            assert read(connection, LONGEST + KEEP_ALIVE_SECONDS).closed
    finally:
        for connection in connections:
            connection.close()


def test_a_body_in_pieces_at_a_fair_pace_is_waited_for(server: Server) -> None:
    body = file(drawn("RGB", 100, 100), "bmp")
    pieces = [body[start : start + 2000] for start in range(0, len(body), 2000)]
    with socket.create_connection((HOST, server.port)) as connection:
        connection.sendall(request("Content-Type: image/bmp", f"Content-Length: {len(body)}"))
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(1.5 * READ_TIMEOUT / len(pieces))
        assert read(connection, 0.2).statuses == [200]


def test_an_answer_that_is_not_taken_is_given_up(server: Server) -> None:
    body = file(drawn("RGB", 1500, 1100), "jpeg")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HOST, server.port))
        connection.sendall(
            request(
                "Content-Type: image/jpeg", f"Content-Length: {len(body)}", target="POST /denoise?format=bmp"
            )
            + body
        )
        deadline = time.monotonic() + 30
        while not is_open(server, connection):
            assert time.monotonic() < deadline, "it was never taken in"
        while is_open(server, connection):
            assert time.monotonic() < deadline, "it still waits to be taken"
            time.sleep(0.1)


def is_open(server: Server, connection: socket.socket) -> bool:
    """Whether the service has its end of the connection: what the system sends yet for it has no inode."""
    ends = (server.port, connection.getsockname()[1])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *_, inode = line.split()[:10]
        if tuple(int(end.rpartition(":")[2], 16) for end in (local, remote)) == ends:
            return inode != "0"
    return False


@pytest.mark.parametrize("pause", [0.0, 0.2])
def test_a_client_that_takes_its_answer_has_it(server: Server, pause: float) -> None:
    body = file(drawn("RGB", 700, 500), "jpeg")
    head = request(
        "Content-Type: image/jpeg", f"Content-Length: {len(body)}", target="POST /denoise?format=bmp"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HOST, server.port))
        connection.sendall(head + body)
        time.sleep(pause)
        content = b""
        while len(content) < 700 * 500 * 3:
            content += connection.recv(2**16)
    assert content.startswith(b"HTTP/1.1 200")
