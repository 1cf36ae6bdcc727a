"""Requests that are not HTTP or have two lengths, and floods of headers and requests."""

import select
import socket
import time

import httpx
import pytest

from tests.hostile.conftest import LIMITS, Server
from tests.hostile.wire import HOST, IMAGE, exchange, read, request
from tests.pictures import drawn, file

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"
PNG = file(drawn("RGB"))

BROKEN = {
    "length twice": request(IMAGE, "Content-Length: 5", "Content-Length: 6", body=b"abcdef"),
    "length twice, the same": request(IMAGE, "Content-Length: 5", "Content-Length: 5", body=b"abcde"),
    "two lengths in one": request(IMAGE, "Content-Length: 5, 6", body=b"abcdef"),
    "negative length": request(IMAGE, "Content-Length: -5", body=b"abcde"),
    "length with a plus": request(IMAGE, "Content-Length: +5", body=b"abcde"),
    "length in hexadecimal": request(IMAGE, "Content-Length: 0x5", body=b"abcde"),
    "length beyond 64 bits": request(IMAGE, f"Content-Length: {'9' * 30}", body=b"abcde"),
    "length with chunks": request(IMAGE, "Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED),
    "chunks with a length": request(IMAGE, CHUNKED, "Content-Length: 5", body=b"0\r\n\r\n" + SMUGGLED),
    "chunked, and not": request(IMAGE, CHUNKED, "Transfer-Encoding: identity", body=b"0\r\n\r\n" + SMUGGLED),
    "unknown coding": request(IMAGE, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED),
    "space before the colon": request(IMAGE, "Transfer-Encoding : chunked", body=b"0\r\n\r\n" + SMUGGLED),
    "control character in a value": request(IMAGE, "Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"),
    "null byte in a value": request("X-Name: a\0b", target="GET /healthz"),
    "null byte in the target": request(target="GET /models/\0"),
    "bare line feeds": request(IMAGE, "Content-Length: 0").replace(b"\r\n", b"\n"),
    "folded field": request("X-Name: a\r\n b", target="GET /healthz"),
    "chunk of no size": request(IMAGE, CHUNKED, body=b"zz\r\nabc\r\n0\r\n\r\n"),
    "chunk of negative size": request(IMAGE, CHUNKED, body=b"-1\r\nabc\r\n0\r\n\r\n"),
    "chunk beyond 64 bits": request(IMAGE, CHUNKED, body=b"f" * 20 + b"\r\nabc\r\n0\r\n\r\n"),
    "chunk longer than it says": request(IMAGE, CHUNKED, body=b"3\r\nabcdef\r\n0\r\n\r\n"),
    "letters beyond ASCII in the target": request(target="GET /models/é"),
    "method in small letters": request(target="get /healthz"),
    "a tunnel": request(target="CONNECT n2n:80"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "noise": bytes(range(256)) * 4,
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_http_gets_one_answer_and_is_closed(server: Server, name: str) -> None:
    answers = exchange(server.port, BROKEN[name])
    assert answers.statuses == [400]
    assert answers.problem["code"] == "bad_request"
    assert answers.closed
    assert "smuggled" not in server.log


TOO_LARGE = {
    "one field": [request(f"X-Name: {'a' * 10**6}", target="GET /healthz")],
    "many fields": [request(*["X-Name: a"] * 50_000, target="GET /healthz")],
    "the target": [request(target=f"GET /{'a' * 10**6}")],
    "the query": [request(target=f"GET /models?{'a=1&' * 50_000}")],
    "a field's name": [request(f"{'a' * 10**6}: 1", target="GET /healthz")],
    "without end": [b"GET /healthz HTTP/1.1\r\nX-Name: ", *[b"a" * 10**6] * 50],
    "just over": [request(f"X-Name: {'a' * int(LIMITS['N2N_MAX_HEADER_BYTES'])}", target="GET /healthz")],
    "a chunk's extension": [request(IMAGE, CHUNKED, body=b"1;a="), *[b"a" * 10**6] * 50],
    "trailers": [request(IMAGE, CHUNKED, body=b"1\r\na\r\n0\r\n"), *[b"X-Name: a\r\n" * 10**5] * 50],
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_head_has_its_limit(server: Server, name: str) -> None:
    answers = exchange(server.port, *TOO_LARGE[name])
    assert answers.statuses == [431]
    assert answers.problem["code"] == "headers_too_large"
    assert answers.closed


def test_a_head_of_the_largest_size_is_read(server: Server) -> None:
    long = "a" * (int(LIMITS["N2N_MAX_HEADER_BYTES"]) - 100)
    assert exchange(server.port, request(f"X-Name: {long}", target="GET /healthz")).statuses == [200]


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(server: Server) -> None:
    answers = exchange(
        server.port, request(IMAGE, "Content-Length: 100000000", "Expect: 100-continue"), patience=4
    )
    assert answers.statuses == [413]
    assert answers.problem["code"] == "body_too_large"
    assert answers.closed  # nobody waits for the rest for long


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("POST /denoise", IMAGE),
        ("POST /denoise", "Content-Type: multipart/form-data; boundary=B"),
        ("POST /denoise/batch", "Content-Type: multipart/form-data; boundary=B"),
        ("POST /models/mine/versions", "Content-Type: application/octet-stream"),
        ("POST /train-jobs", "Content-Type: application/json"),
    ],
)
def test_chunks_without_end_are_refused_at_the_limit(server: Server, target: str, kind: str) -> None:
    chunk = b"186a0\r\n" + bytes(100_000) + b"\r\n"
    with socket.create_connection((HOST, server.port)) as connection:
        connection.settimeout(10)
        connection.sendall(request(kind, CHUNKED, target=target))
        sent = 0
        while not select.select([connection], [], [], 0)[0]:
            connection.sendall(chunk)
            sent += len(chunk)
            assert sent < 30_000_000  # most of it is in the system's buffers
        answers = read(connection, 0.1)
    assert answers.statuses == [400 if "multipart" in kind else 413]  # a form of zeros is broken, too


def test_a_body_shorter_than_announced_is_no_request(server: Server) -> None:
    with socket.create_connection((HOST, server.port)) as connection:
        connection.sendall(request(IMAGE, f"Content-Length: {len(PNG) + 1}", body=PNG))
        connection.shutdown(socket.SHUT_WR)
        assert 200 not in read(connection, 3).statuses


def test_what_follows_the_announced_body_is_the_next_request(server: Server) -> None:
    answers = exchange(
        server.port, request(IMAGE, f"Content-Length: {len(PNG)}", body=PNG + request(target="GET /healthz"))
    )
    assert answers.statuses == [200, 200]


def test_an_upgrade_is_declined_and_the_body_read(server: Server) -> None:
    """Java's HTTP client asks for HTTP/2 so, in every first request."""
    upgrade = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
    )
    head = request(IMAGE, *upgrade, f"Content-Length: {len(PNG)}")
    after = request(target="GET /healthz")
    for pieces in [
        [head + PNG + after],
        [head, PNG, after],
        [head[:50], head[50:] + PNG[:9], PNG[9:] + after],
    ]:
        assert exchange(server.port, *pieces).statuses == [200, 200]
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG)
    assert exchange(server.port, request(IMAGE, *upgrade, CHUNKED, body=chunks + after)).statuses == [
        200,
        200,
    ]
    assert exchange(server.port, request(*upgrade, target="GET /healthz") + after).statuses == [200, 200]
    smuggled = request(IMAGE, *upgrade, f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED)
    assert exchange(server.port, smuggled).statuses == [422]
    assert "smuggled" not in server.log


def test_a_web_socket_is_declined(server: Server) -> None:
    upgrade = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: eA==",
    )
    assert exchange(server.port, request(*upgrade, target="GET /healthz")).statuses == [200]


def test_a_flood_of_pipelined_requests_is_cut_off(server: Server) -> None:
    flood = request(target="GET /healthz") * 10_000
    with socket.create_connection((HOST, server.port)) as connection:
        connection.settimeout(10)
        for _ in range(500):
            try:
                connection.sendall(flood)
            except OSError:
                return
            time.sleep(0.01)
    pytest.fail("it takes them all")


def test_some_pipelined_requests_are_answered(server: Server) -> None:
    assert exchange(server.port, request(target="GET /healthz") * 20).statuses == [200] * 20


@pytest.mark.parametrize("host", ["[", "a/b?c#", "", "a" * 5000, "a:99999999", "\xff"])
def test_a_strange_host_is_refused(server: Server, host: str) -> None:
    answers = exchange(server.port, b"GET /nowhere HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode("latin-1"))
    assert answers.statuses == [421]
    assert answers.problem["instance"] == "/nowhere"


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: evil.example\r\n"])
def test_no_host_and_two_are_refused(server: Server, hosts: bytes) -> None:
    answers = exchange(server.port, b"GET /healthz HTTP/1.1\r\n%s\r\n" % hosts)
    assert answers.statuses == [400]


JSON = {
    "deep": b"[" * 30_000 + b"]" * 30_000,
    "deep, in a field": b'{"dataset": ' + b"[" * 400 + b"]" * 400 + b"}",
    "a number of 5000 digits": b'{"dataset": "x", "batch_size": ' + b"9" * 5000 + b"}",
    "an infinite number": b'{"dataset": "x", "lr": 1e999}',
    "no number": b'{"dataset": "x", "lr": NaN}',
    "half a surrogate": rb'{"dataset": "\ud800"}',
    "a null byte": rb'{"dataset": "\u0000"}',
    "ten thousand fields": b"{" + b",".join(b'"a%d":0' % i for i in range(5_000)) + b"}",
    "the same field often": b"{" + b",".join([b'"dataset":"x"'] * 4_000) + b"}",
    "no Unicode": b'{"dataset": "\xff\xfe"}',
    "a path": b'{"dataset": "../../etc/passwd"}',
    "too long": b'{"dataset": "' + b"x" * 70_000 + b'"}',
    "nothing": b"",
}


@pytest.mark.parametrize("target", ["/train-jobs", "/datasets"])
@pytest.mark.parametrize("name", JSON)
def test_hostile_json_is_refused(server: Server, target: str, name: str) -> None:
    answer = httpx.post(server.url + target, content=JSON[name], headers={"content-type": "application/json"})
    assert answer.status_code in (400, 413, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 20_000
