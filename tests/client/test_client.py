"""The client, against a small service that breaks when told to."""

import pickle
import socket
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from fastapi.responses import HTMLResponse, Response

from n2n_client import ArgumentError, Client, Event, Job, ServiceError, multipart, transport
from n2n_client.event_stream import messages
from tests.core.contract import Contract, event, job, problem, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Contract]:
    contract = Contract()
    with serving(contract):
        yield contract


@pytest.fixture
def service(server: Contract) -> Contract:
    """The server, as if it were new."""
    url = server.url
    server.__init__()  # type: ignore[misc]
    server.url = url
    return server


@pytest.fixture
def client(service: Contract) -> Iterator[Client]:
    with Client(service.url, timeout=10, retries=3, pause=0.01) as client:
        yield client


def refused(*status_and_code: object) -> pytest.RaisesExc[ServiceError]:
    return pytest.raises(ServiceError, check=lambda e: (e.status, e.code) == status_and_code)


def test_a_picture_is_denoised(client: Client, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"-file")
    assert client.denoise(b"-bytes", "mine@2") == b"mine@2-bytes"
    assert client.denoise(tmp_path / "a.png") == b"torch-file"


def test_a_picture_is_denoised_as_wished(client: Client) -> None:
    assert client.denoise(b"-x", strength=0.25, self_ensemble=True) == b"torch0.25true-x"
    assert client.denoise(b"-x", "auto", strength=0) == b"auto0-x"


def test_a_report_comes_with_its_pictures(client: Client, service: Contract, tmp_path: Path) -> None:
    (tmp_path / "clean.png").write_bytes(b"clean")
    found = client.denoise_reported(
        b"noisy", "mine", self_ensemble=True, uncertainty=True, reference=tmp_path / "clean.png"
    )
    assert service.forms[-1] == {
        "model": "mine", "self_ensemble": "true", "uncertainty": "true", "report": "multipart",
        "file": b"noisy", "reference": b"clean",
    }  # fmt: skip
    assert (found.image, found.uncertainty) == (b"\r\n--x\r\nnoisy", b"\r\n")
    assert (found.report.model, found.report.noise, found.report.window) == ("mine", {"before": 9.5}, (8, 16))
    assert found.report.self_ensemble is None
    assert client.denoise_reported(b"noisy").uncertainty is None
    assert service.forms[-1] == {"report": "multipart", "file": b"noisy"}


@pytest.mark.parametrize("kind", ["image/png", "multipart/form-data; boundary=x"])
def test_an_answer_without_the_parts_is_not_understood(client: Client, service: Contract, kind: str) -> None:
    service.faults.append(Response(b"--x\r\n\r\n1\r\n--x--", media_type=kind))
    with refused(200, "bad_answer"):
        client.denoise_reported(b"noisy")


def test_a_part_has_its_own_name_not_that_of_its_file() -> None:
    head = b'Content-Type: a; name="no"\r\ncontent-disposition: form-data; filename="x"; name="image"'
    answer = httpx.Response(
        200,
        headers={"content-type": "multipart/form-data; boundary=x"},
        content=b"--x\r\n" + head + b"\r\n\r\n1\r\n--x--",
    )
    assert multipart.contents(answer) == {"image": b"1"}


def test_the_key_goes_with_every_request(service: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    def sent() -> str | None:
        return service.requests[-1][2].get("authorization")

    monkeypatch.setenv("N2N_API_KEY", "n2n_environment")
    for own, expected in ((None, "Bearer n2n_environment"), ("n2n_own", "Bearer n2n_own"), ("", None)):
        with Client(service.url, key=own) as client:
            client.models()
            assert sent() == expected
    monkeypatch.delenv("N2N_API_KEY")
    with Client(service.url) as client:
        client.models()
        assert sent() is None
    with Client(service.url, key="n2n_own") as client:
        submitted = client.submit("d1")
        service.streams.append([event("state", **job(submitted.id, "succeeded"))])
        list(client.watch(submitted.id))
        assert service.requests[-1][1].endswith("/events")
        assert sent() == "Bearer n2n_own"


@pytest.mark.parametrize("key", ["a b", "n2n_x\n", "schlüssel", "Bearer x"])
def test_what_cannot_be_a_key_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(
        ArgumentError, match="the API key contains characters that are not allowed"
    ) as refused:
        Client(key=key)
    assert key not in str(refused.value)


def test_models_and_datasets_are_read_without_what_is_not_known(client: Client) -> None:
    (model,) = client.models()
    assert (model.id, model.default, model.parameters) == ("torch", True, 7)
    (data,) = client.datasets()
    assert (data.id, data.kind, data.counts) == ("d1", "pairs", {"scenes": 3})
    assert data.report
    assert [(check.name, check.figure) for check in data.report.checks] == [("shift", 0.1)]
    unchecked = client.dataset("d7")
    assert (unchecked.report, unchecked.counts) == (None, {})


def test_files_are_uploaded_as_they_are(client: Client, service: Contract, tmp_path: Path) -> None:
    large = bytes(range(256)) * 4000
    (tmp_path / "a.zip").write_bytes(large)
    (tmp_path / "b.png").write_bytes(b"b")
    paths: list[Path | str] = [tmp_path / "a.zip", str(tmp_path / "b.png")]
    noise = {"name": "gaussian", "sigma": 0.1}
    assert client.upload_dataset(paths, "clean", "mine", data_range=4095.0, corruption=noise).name == "mine"
    assert service.forms == [
        {
            "kind": "clean", "name": "mine", "data_range": "4095.0",
            "corruption": '{"name": "gaussian", "sigma": 0.1}', "files": [("a.zip", large), ("b.png", b"b")],
        }
    ]  # fmt: skip


def members(service: Contract) -> dict[str, bytes]:
    ((name, content),) = service.forms[-1]["files"]
    assert name == "files.tar"
    with tarfile.open(fileobj=BytesIO(content)) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar.getmembers()}  # type: ignore


def test_folders_are_uploaded_as_an_archive(client: Client, service: Contract, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "a.png").write_bytes(name.encode())
    (tmp_path / "two" / "link.png").symlink_to(tmp_path / "one" / "deep" / "a.png")
    client.upload_dataset([tmp_path / "one", tmp_path / "two"], "pairs", "mine")
    assert members(service) == {"one/deep/a.png": b"one", "two/deep/a.png": b"two", "two/link.png": b"one"}
    client.upload_dataset([tmp_path / "one"], "single", "mine")
    assert members(service) == {"deep/a.png": b"one"}


def test_what_cannot_be_uploaded_is_refused_before_anything_is_sent(
    client: Client, service: Contract, tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.png").write_bytes(b"")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ArgumentError, match=r"missing\.zip: no such file"):
        client.upload_dataset([tmp_path / "missing.zip"], "pairs", "mine")
    with pytest.raises(ArgumentError, match=r"would both be called a\.png"):
        client.upload_dataset([tmp_path / "a.png", tmp_path / "one" / "a.png"], "pairs", "mine")
    (tmp_path / "one" / "a.png").unlink()
    with pytest.raises(ArgumentError, match="no files in it"):
        client.upload_dataset([tmp_path / "one"], "pairs", "mine")
    assert service.requests == []


def test_a_job_is_submitted_with_what_is_given_alone(client: Client, service: Contract) -> None:
    made = client.submit("d1", name="mine", epochs=3)
    assert (made.id, made.state, made.done, made.result) == ("j1", "queued", False, None)
    assert made.updated_at == datetime(2026, 11, 24, 15, 0, 1, 500_000, UTC)
    ((headers, body),) = service.asked("POST", "/train-jobs")
    assert body == b'{"dataset":"d1","name":"mine","epochs":3}'
    assert len(headers["idempotency-key"]) >= 32
    client.submit("d1", force=True)
    client.submit("d1", key="own")
    first, second, third = service.asked("POST", "/train-jobs")
    assert second[1] == b'{"dataset":"d1","force":true}'
    assert third[0]["idempotency-key"] == "own"
    assert len({each[0]["idempotency-key"] for each in (first, second, third)}) == 3


@pytest.mark.parametrize(
    "fault", ["drop", "drop-answer", problem(503, "busy", "no room", **{"Retry-After": "0"}),
              problem(409, "key_in_flight", "not yet"), problem(502, "", "")],
)  # fmt: skip
def test_a_submission_that_is_disturbed_makes_one_job(
    client: Client, service: Contract, fault: Response | str
) -> None:
    service.faults.extend([fault, fault])
    assert client.submit("d1").id == "j1"
    keys = {headers["idempotency-key"] for headers, _ in service.asked("POST", "/train-jobs")}
    assert len(service.asked("POST", "/train-jobs")) == 3
    assert len(keys) == len(service.jobs) == 1


def test_retry_after_is_waited_for(
    client: Client, service: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(transport, "sleep", waits.append)
    for after in ("7", "100000", "Wed, 21 Oct 2026 07:28:00 GMT"):
        service.faults.append(problem(503, "busy", "no room", **{"Retry-After": after}))
    client.models()
    assert waits[:2] == [7, 60]
    assert 0 < waits[2] < 1


def test_attempts_have_an_end(client: Client, service: Contract) -> None:
    service.faults.extend([problem(503, "overloaded", "no room", **{"Retry-After": "0"})] * 9)
    with refused(503, "overloaded"):
        client.models()
    assert len(service.requests) == 4


def test_uploads_and_resuming_are_sent_once_if_they_may_have_arrived(
    client: Client, service: Contract, tmp_path: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(b"a")
    service.jobs["j1"] = job()
    service.faults.append("drop")
    with refused(None, "unreachable"):
        client.upload_dataset([tmp_path / "a.zip"], "pairs", "mine")
    service.faults.append("drop")
    with refused(None, "unreachable"):
        client.resume("j1")
    assert len(service.requests) == 2
    service.faults.append(problem(503, "busy", "no room", **{"Retry-After": "0"}))
    client.upload_dataset([tmp_path / "a.zip"], "pairs", "mine")
    assert service.forms[-1]["files"] == [("a.zip", b"a")]  # the file from its start again


def test_a_deletion_whose_answer_was_lost_is_done(client: Client, service: Contract) -> None:
    service.jobs["j1"] = job()
    service.faults.append("drop-answer")
    client.delete("j1")
    assert service.jobs == {}
    with refused(404, "unknown_job"):
        client.delete("j1")
    client.delete_dataset("d1")
    assert service.requests[-1][:2] == ("DELETE", "/datasets/d1")


def test_a_problem_is_an_error_with_its_parts(client: Client, service: Contract) -> None:
    service.faults.append(problem(422, "bad_recipe", "lr is 0"))
    with pytest.raises(ServiceError) as caught:
        client.submit("d1", lr=0)
    error = caught.value
    assert (error.status, error.code, error.detail) == (422, "bad_recipe", "lr is 0")
    assert str(error) == "lr is 0; expected a number above 0"
    assert error.errors[0]["pointer"] == "body/lr"
    copy = pickle.loads(pickle.dumps(error))
    assert (vars(copy), str(copy)) == (vars(error), str(error))


def test_answers_that_are_not_the_services_are_errors(client: Client, service: Contract) -> None:
    service.faults.append(page(500))
    with pytest.raises(ServiceError, match=r"GET http.*/models: 500"):
        client.models()
    for status in (200, 302):
        service.faults.append(page(status))
        with pytest.raises(ServiceError):
            client.models()
    service.faults.append(problem(200, "x", "no models in it"))
    with refused(200, "bad_answer"):
        client.models()


def page(status: int) -> HTMLResponse:
    return HTMLResponse("<h1>a proxy</h1>", status)


def test_nobody_there_is_an_error_in_a_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (
        Client(url, retries=1, pause=0.01) as client,
        pytest.raises(ServiceError, match=f"GET {url}/models: no answer"),
    ):
        client.models()


@pytest.mark.parametrize("url", ["localhost:8000", "", "ftp://a", "http://a:b:c"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ArgumentError, match="url is"):
        Client(url)


def test_pages_are_fetched_as_they_are_needed(client: Client, service: Contract) -> None:
    service.jobs = {f"j{n}": job(f"j{n}", "failed" if n == 3 else "queued") for n in range(5)}
    found = client.jobs()
    assert next(found).id == "j0"
    assert len(service.requests) == 1
    assert [each.id for each in found] == ["j1", "j2", "j3", "j4"]
    assert [each.id for each in client.jobs("failed")] == ["j3"]
    assert len(service.requests) == 4


def test_waiting_cancelling_and_resuming(client: Client, service: Contract) -> None:
    service.jobs["j1"] = job()
    assert client.job("j1", wait=30).state == "queued"
    assert service.requests[-1][2]["prefer"] == "wait=30"
    assert client.cancel("j1").state == "cancelling"
    assert client.resume("j1").state == "queued"


START, STEP, END = (event("start", 1, total_steps=4), event("step", 2, step=2), event("end", 3))
RUNNING, DONE = event("state", **job(state="running")), event("state", **job(state="succeeded"))


def names(news: Iterator[Job | Event]) -> list[str]:
    return [each.name if isinstance(each, Event) else each.state for each in news]


def test_a_job_is_watched_to_its_end(client: Client, service: Contract) -> None:
    service.streams.append([START, b": beat\n\n", RUNNING, STEP[:9], STEP[9:], END, DONE])
    assert names(client.watch("j1")) == ["start", "running", "step", "end", "succeeded"]


def test_a_stream_that_is_cut_goes_on_after_its_last_event(client: Client, service: Contract) -> None:
    service.streams.extend([[START, RUNNING, STEP[:-1]], [], [RUNNING, STEP], [RUNNING, END, DONE]])
    assert names(client.watch("j1")) == ["start", "running", "step", "end", "succeeded"]
    known = [headers.get("last-event-id") for headers, _ in service.asked("GET", "/train-jobs/j1/events")]
    assert known == [None, "1", "1", "2"]


def test_a_service_that_restarts_is_waited_for(client: Client, service: Contract) -> None:
    service.faults.extend(["drop", problem(503, "busy", "x"), problem(502, "x", "x")])
    service.streams.append([RUNNING, DONE])
    assert names(client.watch("j1")) == ["running", "succeeded"]


@pytest.mark.parametrize(
    ("streams", "faults", "first"),
    [([], [], []), ([[START, RUNNING], *[[]] * 9], [], ["start"]), ([], [page(200)], [])],
    ids=["none", "breaks", "replaced"],
)
def test_without_a_stream_the_job_is_asked_for(
    client: Client, service: Contract, streams: list[list[bytes]], faults: list[Response], first: list[str]
) -> None:
    service.streams.extend(streams)
    service.faults.extend(faults)
    running = job(state="running")
    service.states.extend([running, running, job(state="succeeded")])
    assert names(client.watch("j1")) == [*first, "running", "succeeded"]
    assert service.asked("GET", "/train-jobs/j1")[0][0]["prefer"] == "wait=5"


def test_watching_an_unknown_job_is_refused(client: Client) -> None:
    with refused(404, "unknown_job"):
        list(client.watch("j9"))


def test_an_event_that_is_not_understood_is_left_to_asking(client: Client, service: Contract) -> None:
    service.streams.append([b"event: state\ndata: {}\n\n"])
    service.states.append(job(state="failed"))
    (news,) = client.watch("j1")
    assert isinstance(news, Job)
    assert news.error
    assert (news.error.code, news.error.log_tail) == ("diverged", "nan")


def test_a_streams_lines_end_at_line_feeds_alone() -> None:
    text = "event: a\r\ndata: one\x85\u2028\r\ndata:two\r\n\r\n".encode()
    for size in (1, 3, 100):
        chunks = [text[at : at + size] for at in range(0, len(text), size)]
        assert list(messages(chunks)) == [("a", "one\x85\u2028\ntwo", None)]
