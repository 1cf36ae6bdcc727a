"""Training jobs over the real app: real datasets, and real trainings in processes of their own."""

import csv
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio import sleep
from fastapi import FastAPI

from n2n_core.datasets.checks.report import Check, CheckReport
from n2n_core.datasets.checks.suite import check_dataset
from n2n_core.datasets.importing.importer import import_dataset
from n2n_core.datasets.pairs import Pairs, save_pairs
from n2n_core.image.rounding import to_bytes
from n2n_core.models import weights
from n2n_core.models.names import RESERVED
from n2n_core.training.config import TrainConfig
from service.api.dependencies import State
from service.settings.server import Settings
from tests.pictures import drawn, file, opened
from tests.scenes import noisy, smooth
from tests.service import problems
from tests.service.serving import quick_app

pytestmark = pytest.mark.anyio

UNKNOWN = "01a2b3c4-d5e6-7f80-91a2-b3c4d5e6f708"
SMALL = {"model": "scratch", "epochs": 3, "batch_size": 8, "schedule": "constant"}
ENDLESS = SMALL | {"epochs": 100_000}


def add_dataset(state: State, name: str = "Waves, noisy", **report: Any) -> str:
    """A dataset that is ready; with the report of its checks, or that with ``report``'s values."""
    made = state.datasets.create(name, "pairs")
    folder = state.folder.dataset(made.id)
    with tempfile.TemporaryDirectory() as source:
        first, second = noisy(smooth(20, 32, 32), 2)
        save_pairs(Path(source) / "pairs.pkl", Pairs(to_bytes(first), to_bytes(second)))
        dataset = import_dataset(Path(source) / "pairs.pkl", "pairs", folder, name=name)
    found = check_dataset(dataset).to_dict() | report
    return state.datasets.update(made.id, state="ready", report=found).id


def make_app(data: Path, concurrency: int) -> FastAPI:
    settings = Settings(
        data=data,
        device="cpu",
        train_concurrency=concurrency,
        train_threads=1,
        train_heartbeat=0.2,
        train_lease=5,
    )
    return quick_app(settings)


async def serve(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://n2n") as client,
    ):
        yield client
    for _, trainer in app.state.n2n.supervisor.handles.values():  # a job may have ended a moment before it
        while trainer.poll() is None:
            await sleep(0.01)


@pytest.fixture(scope="module")
def idle_app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """One that starts no trainers."""
    return make_app(tmp_path_factory.mktemp("idle"), 0)


@pytest.fixture(scope="module")
async def idle(idle_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async for client in serve(idle_app):
        yield client


@pytest.fixture(scope="module")
async def dataset(idle: httpx.AsyncClient, idle_app: FastAPI) -> str:
    return add_dataset(idle_app.state.n2n)


@pytest.fixture(scope="module")
def live_app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return make_app(tmp_path_factory.mktemp("live"), 1)


@pytest.fixture(scope="module")
async def live(live_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async for client in serve(live_app):
        yield client


@pytest.fixture(scope="module")
async def trained(live: httpx.AsyncClient, live_app: FastAPI) -> dict[str, Any]:
    """A job that has succeeded."""
    dataset = add_dataset(live_app.state.n2n)
    answer = await live.post("/train-jobs", json={"dataset": dataset, **SMALL})
    assert answer.status_code == 202, answer.text
    job = await wait(live, answer.headers["location"])
    assert job["state"] == "succeeded", job
    return job


async def wait(client: httpx.AsyncClient, path: str, *states: str) -> dict[str, Any]:
    """The job once it is done, or in one of ``states``."""
    tag = "none"
    for _ in range(300):
        headers = {"prefer": "wait=30", "if-none-match": tag}
        answer = await client.get(path, headers=headers)
        if answer.status_code == 200:
            job: dict[str, Any] = answer.json()
            tag = answer.headers["etag"]
            if job["done"] or (job["state"] in states and job["progress"]["step"] > 0):
                return job
    raise AssertionError(f"waited in vain: {job}")


async def test_a_dataset_becomes_a_model(trained: dict[str, Any], live_app: FastAPI) -> None:
    state: State = live_app.state.n2n
    assert (trained["done"], trained["error"], trained["attempt"]) == (True, None, 1)
    assert trained["progress"] == {
        "step": 9, "total_steps": 9, "fraction": 1.0, "eta_seconds": None, "phase": "succeeded",
    }  # fmt: skip
    assert trained["metrics"]["best_epoch"] in (1, 2, 3)
    assert trained["metrics"]["best_psnr"] >= trained["metrics"]["psnr_estimate"]
    assert trained["created_at"] < trained["started_at"] < trained["finished_at"] <= trained["updated_at"]
    version = state.catalogue.resolve("waves-noisy")
    assert trained["result"] == {"model": "waves-noisy", "version": 1, "sha256": version.sha256}
    assert trained["links"]["model"] == "/models/waves-noisy"
    assert version.lineage["job"] == trained["id"]
    card = weights.read(state.catalogue.path(version))[1]
    assert card.data["dataset_id"] == trained["dataset"]
    assert (card.data["dataset"], card.data["scenes"]) == ("Waves, noisy", 20)


async def test_the_model_is_served_at_once(trained: dict[str, Any], live: httpx.AsyncClient) -> None:
    files = {"file": ("x.png", file(drawn(width=33, height=40)))}
    answer = await live.post("/denoise", params={"model": "waves-noisy"}, files=files)
    assert answer.status_code == 200, answer.text
    assert answer.headers["n2n-weights-sha256"] == trained["result"]["sha256"]
    assert opened(answer.content).size == (33, 40)


async def test_a_dataset_is_enough(idle: httpx.AsyncClient, dataset: str) -> None:
    answer = await idle.post("/train-jobs", json={"dataset": dataset})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["links"]["self"] == f"/train-jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    recipe = TrainConfig().model_dump()
    recipe.pop("initial")
    assert job["spec"] == recipe
    assert (job["state"], job["done"], job["name"]) == ("queued", False, "waves-noisy")
    assert (job["result"], job["error"], job["progress"]["phase"]) == (None, None, "queued")


@pytest.mark.parametrize(
    ("body", "code", "pointer", "part"),
    [
        ({"learning_rate": 1}, "bad_request", "body/learning_rate", "1"),
        ({"initial": "/etc/passwd"}, "bad_request", "body/initial", "/etc/passwd"),
        ({"epochs": "3"}, "bad_request", "body/epochs", "'3'"),
        ({"epochs": True}, "bad_request", "body/epochs", "True"),
        ({"epochs": 10**30}, "bad_request", "body/epochs", "less than"),
        ({"crop": 3}, "bad_request", "body/crop", "greater than or equal to 8"),
        ({"model": "best"}, "bad_request", "body/model", "'torch', 'scratch', 'unet' or 'photo'"),
        ({"optimizer": "lion"}, "bad_request", "body/optimizer", "'lion'"),
        ({"lr": -1}, "bad_recipe", "body/lr", "lr is -1.0, expected a number above 0"),
        ({"corruption": {"name": "dust"}}, "bad_recipe", "body/corruption", "dust"),
        ({"corruption": {"name": "gaussian"}}, "bad_recipe", "body/corruption", "kind is 'pairs'"),
        ({"model": "scratch", "loss": "l1"}, "bad_recipe", "body/loss", "'mse' for a scratch network"),
        ({"engine": "scratch", "precision": "bfloat16"}, "bad_recipe", "body/precision", "'float32'"),
        ({"lr": 1e300}, "bad_recipe", "body/lr", "at most 1e+38"),
        ({"name": "No Name"}, "bad_name", "body/name", "'No Name'"),
        ({"name": "torch"}, "bad_name", "body/name", "shipped"),
        ({"name": "default"}, "bad_name", "body/name", "reserved: 'auto'"),
        ({"name": "auto"}, "bad_name", "body/name", "reserved: 'auto'"),
        ({"dataset": UNKNOWN}, "unknown_dataset", "body/dataset", UNKNOWN),
        ({"validation_dataset": UNKNOWN}, "unknown_dataset", "body/validation_dataset", UNKNOWN),
        ({"base": "nobody@3"}, "unknown_model", "body/base", "nobody@3"),
        ({"lr": "x" * 50_000}, "bad_request", "body/lr", "xxx..."),
        ({"base": "torch", "model": "scratch"}, "bad_recipe", "body/model", "expected 'torch'"),
    ],
)
async def test_a_request_is_refused_by_the_name_of_what_is_wrong(
    idle: httpx.AsyncClient, dataset: str, body: dict[str, Any], code: str, pointer: str, part: str
) -> None:
    answer = await idle.post("/train-jobs", json={"dataset": dataset, **body})
    problem = problems.check(answer, 422, code, part)
    assert pointer in [fault.pointer for fault in problem.errors]


@pytest.mark.parametrize("name", RESERVED)
async def test_no_model_gets_a_reserved_name_from_its_dataset(
    idle: httpx.AsyncClient, idle_app: FastAPI, name: str
) -> None:
    answer = await idle.post("/train-jobs", json={"dataset": add_dataset(idle_app.state.n2n, name)})
    assert (answer.status_code, answer.json()["name"]) == (202, f"{name}-trained")


async def test_a_request_is_small_and_so_is_its_refusal(idle: httpx.AsyncClient) -> None:
    many = {f"k{number}": 1 for number in range(5000)}
    answer = await idle.post("/train-jobs", json={"dataset": UNKNOWN, **many})
    assert len(problems.check(answer, 422, "bad_request").errors) == 100
    assert len(answer.content) < 30_000
    answer = await idle.post("/train-jobs", json={"dataset": "x" * 100_000})
    problems.check(answer, 413, "body_too_large", "at most 65536")


async def test_a_base_decides_the_architecture(idle: httpx.AsyncClient, dataset: str) -> None:
    answer = await idle.post("/train-jobs", json={"dataset": dataset, "base": "scratch"})
    assert answer.status_code == 202, answer.text
    assert answer.json()["spec"]["model"] == "scratch"
    assert answer.json()["base_sha256"] == weights.find("scratch").sha256


async def test_a_dataset_does_not_validate_itself(idle: httpx.AsyncClient, dataset: str) -> None:
    answer = await idle.post("/train-jobs", json={"dataset": dataset, "validation_dataset": dataset})
    problem = problems.check(answer, 422, "bad_recipe", "expected a dataset other than")
    assert [fault.pointer for fault in problem.errors] == ["body/validation_dataset"]


@pytest.mark.slow
async def test_another_dataset_validates(live: httpx.AsyncClient, live_app: FastAPI) -> None:
    state = live_app.state.n2n
    dataset, other = add_dataset(state), add_dataset(state, "Held out")
    body = {"dataset": dataset, "validation_dataset": other, "name": "judged", **SMALL}
    answer = await live.post("/train-jobs", json=body)
    assert answer.json()["validation_dataset"] == other
    job = await wait(live, answer.headers["location"])
    assert job["state"] == "succeeded", job
    assert job["progress"]["step"] == 3 * 3  # of 20 scenes, none held out, in batches of 8
    card = weights.read(state.catalogue.path(state.catalogue.resolve("judged")))[1]
    assert card.data["validation_dataset_id"] == other


async def test_checks_are_told_and_force_overrides_warnings_alone(
    idle: httpx.AsyncClient, idle_app: FastAPI
) -> None:
    warning = Check("shift", "warning", 0.4, "pixels", "The shots are shifted.", "Align them.")
    refusal = replace(warning, name="identical", verdict="refuse")
    for found, forced in (([warning], 202), ([warning, refusal], 422)):
        report = CheckReport("f", 3, tuple(found), b"").to_dict()
        dataset = add_dataset(idle_app.state.n2n, **report)
        problem = problems.check(
            await idle.post("/train-jobs", json={"dataset": dataset}), 422, "dataset_refused"
        )
        assert [fault.detail.partition(" ")[0] for fault in problem.errors] == [check.name for check in found]
        assert "Align them." in problem.errors[0].detail
        assert ("force" in problem.detail) == (forced == 202)
        answer = await idle.post("/train-jobs", json={"dataset": dataset, "force": True})
        assert answer.status_code == forced


async def test_a_dataset_that_is_not_ready_conflicts(idle: httpx.AsyncClient, idle_app: FastAPI) -> None:
    made = idle_app.state.n2n.datasets.create("late", "pairs")
    problems.check(await idle.post("/train-jobs", json={"dataset": made.id}), 409, "conflict", "receiving")


async def test_a_request_with_a_key_is_done_once(
    idle: httpx.AsyncClient, idle_app: FastAPI, dataset: str
) -> None:
    headers, body = {"idempotency-key": "one"}, {"dataset": dataset, "epochs": 2}
    wrong = await idle.post("/train-jobs", json=body | {"lr": 0}, headers=headers)
    problems.check(wrong, 422, "bad_recipe")  # it did nothing, so the key is free
    first = await idle.post("/train-jobs", json=body, headers=headers)
    again = await idle.post("/train-jobs", json={"epochs": 2, "dataset": dataset, "seed": 0}, headers=headers)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.headers["location"] == again.headers["location"]
    other = await idle.post("/train-jobs", json=body | {"epochs": 3}, headers=headers)
    problems.check(other, 422, "key_reused", "'one'")
    without = [await idle.post("/train-jobs", json=body) for _ in range(2)]
    assert without[0].json()["id"] != without[1].json()["id"]


async def test_a_key_that_is_not_answered_yet_conflicts(
    idle: httpx.AsyncClient, idle_app: FastAPI, dataset: str
) -> None:
    headers, body = {"idempotency-key": "two"}, {"dataset": dataset}
    payload = (await idle.post("/train-jobs", json=body)).json()["spec"]
    payload |= {"dataset": dataset, "validation_dataset": None, "name": None, "base": None, "force": False}
    idle_app.state.n2n.idempotency_keys.begin(
        "two", "POST /train-jobs", json.dumps(payload, sort_keys=True).encode()
    )
    problems.check(await idle.post("/train-jobs", json=body, headers=headers), 409, "key_in_flight")


async def test_jobs_are_listed_by_pages_and_states(idle: httpx.AsyncClient, dataset: str) -> None:
    made = [(await idle.post("/train-jobs", json={"dataset": dataset})).json()["id"] for _ in range(5)]
    cancelled = await idle.post(f"/train-jobs/{made[1]}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")  # it was only queued
    assert cancelled.json()["error"]["code"] == "cancelled"
    found: list[str] = []
    params: dict[str, Any] = {"page_size": 2, "state": ["queued", "running"]}
    while True:
        page = (await idle.get("/train-jobs", params=params)).json()
        assert len(page["jobs"]) <= 2
        assert {job["state"] for job in page["jobs"]} == {"queued"}
        found += [job["id"] for job in page["jobs"]]
        if page["next_page_token"] is None:
            break
        params["page_token"] = page["next_page_token"]
    assert found[:4] == [made[4], made[3], made[2], made[0]]
    assert len(set(found)) == len(found)
    only = (await idle.get("/train-jobs", params={"state": "cancelled"})).json()["jobs"]
    assert [job["id"] for job in only] == [made[1]]


@pytest.mark.parametrize("query", ["page_size=0", "page_size=9999", "page_token=x", "state=lost"])
async def test_a_list_takes_no_nonsense(idle: httpx.AsyncClient, query: str) -> None:
    problems.check(await idle.get(f"/train-jobs?{query}"), 422, "bad_request", query.partition("=")[0])


@pytest.mark.parametrize(
    "path", ["", "/metrics", "/events", "/samples", "/samples/x.png", "/plots/loss.png", "/log"]
)
async def test_an_unknown_job_is_not_found(idle: httpx.AsyncClient, path: str) -> None:
    problems.check(await idle.get(f"/train-jobs/{UNKNOWN}{path}"), 404, "unknown_job", UNKNOWN)


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("POST", "/resume"), ("DELETE", "")])
async def test_nothing_is_done_to_an_unknown_job(idle: httpx.AsyncClient, method: str, path: str) -> None:
    problems.check(await idle.request(method, f"/train-jobs/{UNKNOWN}{path}"), 404, "unknown_job")


async def test_a_job_that_has_not_begun_has_nothing_to_show(idle: httpx.AsyncClient, dataset: str) -> None:
    path = (await idle.post("/train-jobs", json={"dataset": dataset})).headers["location"]
    assert (await idle.get(f"{path}/metrics")).json() == {"history": []}
    assert (await idle.get(f"{path}/metrics?format=csv")).text.strip() == "event,time,step"
    assert (await idle.get(f"{path}/samples")).json() == {"samples": [], "grid": None}
    assert (await idle.get(f"{path}/log")).text == ""
    assert (await idle.get(f"{path}/plots/psnr.png")).status_code == 200
    assert (await idle.get(f"{path}/plots/loss.svg")).status_code == 200


async def test_polling_waits_for_a_change_and_repeats_nothing(idle: httpx.AsyncClient, dataset: str) -> None:
    path = (await idle.post("/train-jobs", json={"dataset": dataset})).headers["location"]
    first = await idle.get(path)
    assert int(first.headers["retry-after"]) >= 1
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        same = await idle.get(path, headers={"if-none-match": known, "prefer": "wait=0"})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (await idle.get(path, headers={"if-none-match": '"x"', "prefer": "wait=30"})).status_code == 200
    waited = await idle.get(path, headers={"prefer": "respond-async, wait=1"})
    assert waited.elapsed.total_seconds() > 0.9
    assert waited.headers["preference-applied"] == "wait=1"
    await idle.post(f"{path}/cancel")
    done = await idle.get(path, headers={"if-none-match": tag, "prefer": "wait=30"})
    assert (done.status_code, done.json()["done"]) == (200, True)
    assert "retry-after" not in done.headers


async def test_the_history_is_json_or_csv(live: httpx.AsyncClient, trained: dict[str, Any]) -> None:
    path = trained["links"]["metrics"]
    history = (await live.get(path)).json()["history"]
    assert [event["epoch"] for event in history if event["event"] == "epoch"] == [1, 2, 3]
    assert all(event["loss"] > 0 for event in history if event["event"] == "step")
    by_query = await live.get(path, params={"format": "csv"})
    by_header = await live.get(path, headers={"accept": "text/csv"})
    assert by_query.content == by_header.content
    assert by_query.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(by_query.text.splitlines()))
    assert [float(row["step"]) for row in rows] == [event["step"] for event in history]
    problems.check(await live.get(path, headers={"accept": "image/png"}), 406, "not_acceptable", "image/png")


async def test_pictures_and_the_log_are_there(live: httpx.AsyncClient, trained: dict[str, Any]) -> None:
    found = (await live.get(trained["links"]["samples"])).json()
    samples, grid = found["samples"], found["grid"]
    assert [sample["epoch"] for sample in samples] == [1, 2, 3]
    sheet = await live.get(samples[-1]["href"])
    assert sheet.headers["content-type"] == "image/png"
    width, height = opened(sheet.content).size
    assert grid["columns"] == ["noisy", "denoised", "reference"]
    assert grid["x"] + 2 * grid["pitch"] + grid["width"] == width - grid["x"]
    assert grid["y"] + (grid["rows"] - 1) * grid["pitch"] + grid["height"] == height - grid["y"]
    plot = await live.get(trained["links"]["psnr_plot"])
    assert opened(plot.content).format == "PNG"
    assert b"<svg" in (await live.get(f"{trained['links']['self']}/plots/loss.svg")).content
    log = await live.get(trained["links"]["log"])
    assert log.headers["content-type"].startswith("text/plain")
    assert f"attempt 1 of 3 at job {trained['id']}" in log.text


@pytest.mark.parametrize("name", ["epoch-0009.png", "..%2F..%2Flog.txt", "checkpoint.pt"])
async def test_only_samples_are_samples(live: httpx.AsyncClient, trained: dict[str, Any], name: str) -> None:
    answer = await live.get(f"{trained['links']['samples']}/{name}")
    assert answer.status_code == 404


def parse(text: str) -> list[dict[str, str]]:
    """The events of a stream, each by its fields."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.strip() and block[0] != ":"]
    return [dict(line.split(": ", 1) for line in block) for block in blocks]


async def test_events_go_on_after_the_last_one_that_is_known(
    live: httpx.AsyncClient, trained: dict[str, Any]
) -> None:
    path = trained["links"]["events"]
    answer = await live.get(path)
    assert answer.headers["content-type"].startswith("text/event-stream")
    every = parse(answer.text)
    lines = [event for event in every if "id" in event]
    assert [int(event["id"]) for event in lines] == list(range(1, len(lines) + 1))
    assert (lines[0]["event"], lines[-1]["event"]) == ("start", "end")
    assert all(json.loads(event["data"])["event"] == event["event"] for event in lines)
    assert every[-1]["event"] == "state"
    assert json.loads(every[-1]["data"]) == trained
    rest = parse((await live.get(path, headers={"last-event-id": "2"})).text)
    assert rest == every[2:]
    over = await live.get(path, headers={"last-event-id": lines[-1]["id"]})
    assert (over.status_code, over.content) == (204, b"")
    problems.check(await live.get(path, headers={"last-event-id": "x"}), 422, "bad_request", "'x'")


async def test_a_job_is_cancelled_resumed_and_deleted(
    live: httpx.AsyncClient, live_app: FastAPI, trained: dict[str, Any]
) -> None:
    body = {"dataset": trained["dataset"], "name": "endless", "base": "waves-noisy", **ENDLESS}
    path = (await live.post("/train-jobs", json=body)).headers["location"]
    running = await wait(live, path, "running")
    assert running["progress"]["phase"] == "training"
    assert running["progress"]["eta_seconds"] > 0
    assert 0 < running["progress"]["fraction"] < 1
    for request in (live.delete(path), live.post(f"{path}/resume")):
        problems.check(await request, 409, "conflict", "is running")
    asked = await live.post(f"{path}/cancel")
    assert (asked.status_code, asked.json()["state"]) == (202, "cancelling")
    cancelled = await wait(live, path)
    assert (cancelled["state"], cancelled["resumable"], cancelled["result"]) == ("cancelled", True, None)
    assert (await live.post(f"{path}/cancel")).status_code == 200
    resumed = await live.post(f"{path}/resume")
    assert (resumed.status_code, resumed.headers["location"]) == (202, path)
    running = await wait(live, path, "running")
    assert running["progress"]["step"] >= cancelled["progress"]["step"]
    await live.post(f"{path}/cancel")
    assert (await wait(live, path))["state"] == "cancelled"
    starts = [event for event in parse((await live.get(f"{path}/events")).text) if event["event"] == "start"]
    told = [json.loads(event["data"]) for event in starts]
    assert [start["step"] for start in told] == [0, cancelled["progress"]["step"]]
    assert {start["initial"] for start in told} == {trained["result"]["sha256"]}
    assert (await live.delete(path)).status_code == 204
    problems.check(await live.get(path), 404, "unknown_job")
    assert not live_app.state.n2n.folder.job(running["id"]).exists()


async def test_a_job_that_succeeded_is_over(live: httpx.AsyncClient, trained: dict[str, Any]) -> None:
    path = trained["links"]["self"]
    problems.check(await live.post(f"{path}/cancel"), 409, "conflict", "succeeded")
    problems.check(await live.post(f"{path}/resume"), 409, "conflict", "succeeded")
