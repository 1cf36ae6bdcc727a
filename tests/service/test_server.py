"""The service as users run it: its own process, over a real socket."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from n2n_client import Client
from n2n_core import cli
from n2n_core.models import weights
from service.cli.main import COMMANDS
from service.server import is_loopback, listen
from tests.course_models import publish_course_models
from tests.pictures import drawn, file, opened
from tests.service import problems
from tests.service.access.test_access import bearer
from tests.service.small import saved

N2N = Path(sys.executable).with_name("n2n")


def serve(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [N2N, "serve", *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    data, models = str(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp("weights")
    settings = {
        "N2N_MAX_BYTES": "1000000",
        "N2N_DATA": data,
        "N2N_WEIGHTS": str(publish_course_models(models)),
    }
    with serve("--port", "0", N2N_DEVICE="cpu", **settings) as process:
        yield process
        process.terminate()


@pytest.fixture(scope="module")
def client(server: subprocess.Popen[str]) -> Iterator[httpx.Client]:
    assert server.stderr is not None
    address = None
    while address is None:
        line = server.stderr.readline()
        assert line, "the server ended before it was up"
        address = re.search(r"http://127\.0\.0\.1:[1-9]\d*", line)
    with httpx.Client(base_url=address[0], timeout=60) as client:
        yield client


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_does_all_of_it_without_torch(client: httpx.Client, server: subprocess.Popen[str]) -> None:
    png, like = file(drawn("RGB")), {"Content-Type": "image/png"}
    thumbnail = f"{_dataset(client)}/thumbnails/0.png"
    for answer in (
        client.post("/denoise", content=png, headers=like),
        client.get("/models"),
        client.get(thumbnail),
        client.get("/models/scratch/download"),
        client.get("/metrics"),
    ):
        assert answer.status_code == 200, answer.text
    assert "torch" not in Path(f"/proc/{server.pid}/maps").read_text()
    children = [path.read_text().split() for path in Path(f"/proc/{server.pid}/task").glob("*/children")]
    maps = [Path(f"/proc/{process}/maps").read_text() for own in children for process in own]
    assert any("torch" in text for text in maps)  # so that the search finds it where it is


def _dataset(client: httpx.Client) -> str:
    """A small dataset's address."""
    parts = [("file", (f"{scene}.png", file(drawn("RGB", seed=scene)))) for scene in range(2)]
    made = client.post("/datasets", data={"kind": "single", "name": "mine"}, files=parts)
    assert made.status_code == 201, made.text
    return made.headers["Location"]


@pytest.mark.parametrize("model", ["scratch", "torch"])
def test_a_picture_goes_in_and_comes_out(client: httpx.Client, model: str) -> None:
    files = {"file": ("img.png", file(drawn("RGB", 150, 140)))}
    response = client.post("/denoise", files=files, params={"model": model})
    assert response.status_code == 200
    assert opened(response.content).size == (150, 140)


def test_the_typed_client_reads_a_report_with_its_pictures(client: httpx.Client) -> None:
    noisy, clean = file(drawn("RGB", 64, 48, seed=1)), file(drawn("RGB", 64, 48))
    with Client(str(client.base_url)) as n2n:
        plain = n2n.denoise(noisy, "scratch", self_ensemble=True)
        found = n2n.denoise_reported(noisy, "scratch", self_ensemble=True, uncertainty=True, reference=clean)
    assert found.image == plain
    assert opened(found.uncertainty or b"").size == (64, 48)
    report = found.report
    assert (report.model, report.version, report.device, report.format) == ("scratch", 1, "cpu", "png")
    assert report.noise["after"] < report.noise["before"]
    assert report.reference
    assert (report.reference["ssim_after"] or 0) > 0.5
    assert report.self_ensemble
    assert 0 < report.self_ensemble["spread_mean"] < report.self_ensemble["spread_p95"]


def test_it_is_ready_once_it_listens(client: httpx.Client) -> None:
    assert client.get("/readyz").json()["status"] == "ready"


def test_many_clients_at_once_are_all_answered(client: httpx.Client) -> None:
    def ask(seed: int) -> tuple[int, int]:
        content = file(drawn("RGB", 16 + seed, 20, seed))
        response = httpx.post(
            client.base_url.join("/denoise?model=scratch"), content=content, timeout=60,
            headers={"content-type": "image/png"},
        )  # fmt: skip
        return opened(response.content).size

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(48))) == [(16 + seed, 20) for seed in range(48)]


def test_a_chunked_body_is_cut_off_at_the_limit(client: httpx.Client) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(11):
            yield bytes(100_000)

    response = client.post("/denoise", content=body(), headers={"content-type": "image/png"})
    problems.check(response, 413, "body_too_large", "at most 1000000")


def disconnects(client: httpx.Client) -> int:
    found = re.search(r"^n2n_disconnects_total (\d+)", client.get("/metrics").text, re.MULTILINE)
    assert found
    return int(found[1])


@pytest.mark.parametrize("sent", [3, None])
def test_a_client_that_hangs_up_harms_nobody_and_is_counted(client: httpx.Client, sent: int | None) -> None:
    before = disconnects(client)
    body = file(drawn("RGB", 300, 300), "bmp")
    head = (
        "POST /denoise HTTP/1.1",
        "Host: localhost",
        "Content-Type: image/bmp",
        f"Content-Length: {len(body)}",
    )
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:sent])
    assert client.get("/healthz").status_code == 200
    deadline = time.monotonic() + 60
    while disconnects(client) == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert disconnects(client) == before + 1


def waiting(client: httpx.Client) -> float:
    found = re.search(r"^n2n_pixels_waiting (\S+)", client.get("/metrics").text, re.MULTILINE)
    assert found
    return float(found[1])


def test_a_hang_up_in_a_self_ensemble_drops_all_its_turns(client: httpx.Client) -> None:
    body = file(drawn("RGB", 512, 512), "jpeg")
    query = "/denoise?self_ensemble=true&model=torch"
    head = (
        f"POST {query} HTTP/1.1",
        "Host: localhost",
        "Content-Type: image/jpeg",
        f"Content-Length: {len(body)}",
    )
    with socket.create_connection((client.base_url.host, client.base_url.port or 80)) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        while waiting(client) < 4 * 512**2:
            time.sleep(0.01)
    hung_up = time.monotonic()
    while waiting(client):
        assert time.monotonic() < hung_up + 60
        time.sleep(0.01)
    assert 'n2n_dropped_total{model="torch",reason="cancelled"}' in client.get("/metrics").text


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Services that the test starts have one small model."""
    weights.publish(saved(tmp_path, 1), "small", "", None, tmp_path / "weights")
    monkeypatch.setenv("N2N_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("N2N_DEFAULT_MODEL", "small")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("quick")
def test_a_signal_ends_it_cleanly_and_every_line_of_the_json_log_is_an_object(number: int) -> None:
    with serve("--port", "0", N2N_DEVICE="cpu", N2N_LOG_FORMAT="json") as process:
        assert process.stderr is not None
        lines, address = [], None
        while address is None:
            lines.append(process.stderr.readline())
            assert lines[-1], "the server ended before it was up"
            address = re.search(r"http://127\.0\.0\.1:[1-9]\d*", lines[-1])
        forged = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
        httpx.get(f"{address[0]}/models/best", headers={"x-request-id": "mine", **forged})
        foreign = httpx.get(address[0], headers={"Host": "evil.example", "x-request-id": "foreign"})
        problems.check(foreign, 421, "misdirected_request", "'evil.example'")
        process.send_signal(number)
        lines += process.communicate(timeout=60)[1].splitlines()
    assert process.returncode == 0
    assert "Traceback" not in "".join(lines)
    read = [json.loads(line) for line in lines]
    assert [line["request_id"] for line in read if "request_id" in line] == ["mine", "foreign"]
    assert {line["client"] for line in read if "client" in line} == {"127.0.0.1"}
    assert [(line["logger"], line["status"]) for line in read if line.get("path") == "/models/best"] == [
        ("n2n.access", 404)
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_a_half_sent_upload_does_not_keep_it_alive() -> None:
    with serve("--port", "0", N2N_DEVICE="cpu") as process:
        assert process.stderr is not None
        address = None
        while address is None:
            line = process.stderr.readline()
            assert line, "the server ended before it was up"
            address = re.search(r"http://(127\.0\.0\.1):([1-9]\d*)", line)
        with socket.create_connection((address[1], int(address[2]))) as connection:
            head = (
                "POST /denoise HTTP/1.1",
                "Host: localhost",
                "Content-Type: image/png",
                "Content-Length: 5000",
            )
            connection.sendall(("\r\n".join(head) + "\r\n\r\nabc").encode())
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def refusal(*arguments: str, **variables: str) -> str:
    with serve(*arguments, **variables) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(err.splitlines()) == 1
    return err


@pytest.mark.usefixtures("quick")
def test_a_port_that_is_taken_while_it_starts_is_told_in_a_line() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))  # which hinders nobody yet
        port = other.getsockname()[1]
        with serve("--port", str(port), N2N_DEVICE="cpu") as process:
            assert process.stderr is not None
            while "Waiting for application startup" not in (line := process.stderr.readline()):
                assert line, "the server ended before it was up"
            other.listen()
            _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in err
    assert err.splitlines()[-1] == f"n2n: cannot listen on 127.0.0.1:{port}: Address already in use"


def test_what_keeps_it_from_serving_is_told_in_a_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}" in refusal("--port", port)
    assert "/proc/no/n2n.db: cannot be written" in refusal("--port", "0", N2N_DATA="/proc/no")


@pytest.mark.slow
def test_whatever_keeps_it_from_serving_is_told_in_a_line() -> None:
    assert "'70000' is not a port" in refusal("--port", "70000")
    assert "N2N_THREADS is 'two'" in refusal("--port", "0", N2N_THREADS="two")
    assert "cannot listen on" in refusal("--host", "a" * 70 + ".com")
    assert "'best', expected one of" in refusal("--port", "0", N2N_DEFAULT_MODEL="best")


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_it_does_not_listen_to_others_without_a_key_unless_told_so(data: Path) -> None:
    everywhere = ("--port", "0", "--host", "0.0.0.0")
    refused = refusal(*everywhere)
    assert "0.0.0.0 can be reached from other machines, and there is no API key" in refused
    assert "n2n keys add NAME" in refused
    with serve(*everywhere, N2N_DEVICE="cpu", N2N_INSECURE="true") as process:
        assert httpx.get(f"{_address(process)}/models").status_code == 200
        process.terminate()


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),
        ("::1", True),
        ("::", False),
    ],
)
def test_it_knows_who_reaches_an_address(host: str, alone: bool) -> None:
    if ":" in host and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen(host, 0) as listener:
        assert is_loopback(listener) == alone


def test_the_option_says_what_the_setting_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr("service.server.run", lambda *arguments: seen.append(arguments))
    for more in ([], ["--insecure"]):
        assert cli.main(["serve", *more], COMMANDS) == 0
    assert seen == [("127.0.0.1", 8000, False), ("127.0.0.1", 8000, True)]


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_with_a_key_it_listens_to_others_and_asks_for_it(data: Path) -> None:
    made = subprocess.run([N2N, "keys", "add", "me", "--scopes", "denoise"], capture_output=True, text=True)
    secret = made.stdout.strip()
    with serve("--port", "0", "--host", "0.0.0.0", N2N_DEVICE="cpu") as process:
        url = _address(process)
        problems.check(httpx.get(f"{url}/models"), 401, "key_missing")
        with Client(url, key=secret) as n2n:
            assert [model.id for model in n2n.models()] == ["small"]
        subprocess.run([N2N, "keys", "remove", "me"], capture_output=True, check=True)
        deadline = time.monotonic() + 60
        while httpx.get(f"{url}/models", headers=bearer(secret)).status_code == 200:  # until the next look
            assert time.monotonic() < deadline
            time.sleep(0.1)
        problems.check(httpx.get(f"{url}/models", headers=bearer(secret)), 401, "key_unknown")
        process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    """Where a service that was just started listens, as this machine reaches it."""
    assert process.stderr is not None
    while not (found := re.search(r"http://0\.0\.0\.0(:[1-9]\d*)", process.stderr.readline())):
        assert process.poll() is None
    return f"http://127.0.0.1{found[1]}"
