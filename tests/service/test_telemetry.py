"""``GET /metrics``, and the dashboard that shows it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

import n2n_core
from n2n_core.inference import tiling
from service.settings.server import Settings
from service.telemetry import Telemetry
from tests.pictures import drawn, file
from tests.service.serving import quick_app

pytestmark = pytest.mark.anyio

PNG = file(drawn("RGB", 200, 150))
DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "grafana.json").read_text(encoding="utf-8")
)
EXPRESSIONS: list[str] = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
METRIC = r"\b(?:n2n|process)_\w+"


@pytest.fixture
def fresh() -> FastAPI:
    return quick_app(Settings(device="cpu", max_bytes=1_000_000))


@pytest.fixture
async def asker(fresh: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(fresh, raise_app_exceptions=False)
    async with (
        fresh.router.lifespan_context(fresh),
        httpx.AsyncClient(transport=transport, base_url="http://n2n") as client,
    ):
        yield client


def value(app: FastAPI, name: str, **labels: str) -> float | None:
    telemetry: Telemetry = app.state.n2n.telemetry
    return telemetry.registry.get_sample_value(name, labels)


async def denoise(client: httpx.AsyncClient, content: bytes = PNG, **params: str) -> httpx.Response:
    headers = {"content-type": "image/png"}
    return await client.post("/denoise", content=content, params=params, headers=headers)


async def labels_of(client: httpx.AsyncClient) -> dict[str, set[str]]:
    """Every sample of a scrape, with the labels that it has."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    found: dict[str, set[str]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_it_answers_in_prometheus_format(asker: httpx.AsyncClient) -> None:
    response = await asker.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    versions = f'torch="{torch.__version__}",version="{n2n_core.__version__}"'
    assert f"n2n_build_info{{{versions}}} 1.0" in response.text
    assert "_created" not in response.text


async def test_requests_are_counted_by_template(fresh: FastAPI, asker: httpx.AsyncClient) -> None:
    for path in ("/models/torch", "/models/scratch", "/models/best", "/nowhere", "/elsewhere"):
        await asker.get(path)
    await asker.head("/models/torch")
    await asker.request("BREW", "/models/torch")
    for route, method, status, times in [
        ("/models/{model}", "GET", "200", 2),
        ("/models/{model}", "GET", "404", 1),
        ("/models/{model}", "HEAD", "200", 1),
        ("/models/{model}", "other", "405", 1),
        ("other", "GET", "404", 2),
    ]:
        assert value(fresh, "n2n_requests_total", route=route, method=method, status=status) == times
    assert value(fresh, "n2n_request_seconds_count", route="/models/{model}") == 5


async def test_a_denoised_image_is_measured(fresh: FastAPI, asker: httpx.AsyncClient) -> None:
    response = await denoise(asker, model="scratch")
    (denoiser,) = fresh.state.n2n.loaded_models.models["scratch"].denoisers
    # The side of a tile is measured, so that it differs by machine.
    tiles = list(tiling.tiles(150, 200, denoiser.geometry, denoiser.throughput.window))
    assert value(fresh, "n2n_request_bytes_total", route="/denoise") == len(PNG)
    assert value(fresh, "n2n_response_bytes_total", route="/denoise") == len(response.content)
    assert value(fresh, "n2n_codec_seconds_count", stage="decode") == 1
    assert value(fresh, "n2n_codec_seconds_count", stage="encode") == 1
    assert value(fresh, "n2n_pixels_total", model="scratch") == sum(tile.pixels for tile in tiles)
    assert value(fresh, "n2n_tiles_total", model="scratch") == len(tiles)
    for name in ("n2n_batch_tiles", "n2n_device_seconds", "n2n_queue_seconds"):
        assert (value(fresh, f"{name}_count", model="scratch") or 0) >= 1
        assert value(fresh, f"{name}_count", model="torch") is None


@pytest.mark.parametrize(
    ("content", "params", "code"),
    [
        (b"hello", {}, "bad_image"),
        (PNG, {"model": "best"}, "unknown_model"),
        (PNG, {"format": "gif"}, "bad_request"),
        (bytes(1_000_001), {}, "body_too_large"),
    ],
)
async def test_every_problem_is_counted_once(
    fresh: FastAPI, asker: httpx.AsyncClient, content: bytes, params: dict[str, str], code: str
) -> None:
    response = await denoise(asker, content, **params)
    assert response.json()["code"] == code
    assert value(fresh, "n2n_problems_total", code=code) == 1


async def test_a_failure_is_counted_though_it_is_answered_further_out(
    fresh: FastAPI, asker: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fresh.state.n2n.catalogue, "database", None)
    assert (await asker.get("/models")).status_code == 500
    assert value(fresh, "n2n_requests_total", route="/models", method="GET", status="500") == 1
    assert value(fresh, "n2n_problems_total", code="internal_error") == 1


async def test_apps_count_apart(fresh: FastAPI, app: FastAPI, asker: httpx.AsyncClient) -> None:
    labels = {"route": "/healthz", "method": "GET", "status": "200"}
    before = value(app, "n2n_requests_total", **labels)
    await asker.get("/healthz")
    assert value(fresh, "n2n_requests_total", **labels) == 1
    assert value(app, "n2n_requests_total", **labels) == before


def test_what_waits_is_asked_at_every_scrape() -> None:
    telemetry, waiting = Telemetry("1", "2"), [5.0, 7.0]
    telemetry.watch(lambda: waiting.pop(0))
    assert b"\nn2n_pixels_waiting 5.0\n" in telemetry.scrape()
    assert b"\nn2n_pixels_waiting 7.0\n" in telemetry.scrape()


def test_a_schedulers_observations_are_counted() -> None:
    telemetry = Telemetry("1", "2")
    telemetry.batch("torch", 3, 300, 0.5)
    telemetry.batch("torch", 1, 100, 0.25)
    telemetry.waited("torch", 2.0)
    telemetry.dropped("torch", "deadline")
    lines = telemetry.scrape().decode().splitlines()
    for line in (
        'n2n_tiles_total{model="torch"} 4.0',
        'n2n_pixels_total{model="torch"} 400.0',
        'n2n_batch_tiles_bucket{le="2.0",model="torch"} 1.0',
        'n2n_device_seconds_sum{model="torch"} 0.75',
        'n2n_queue_seconds_sum{model="torch"} 2.0',
        'n2n_dropped_total{model="torch",reason="deadline"} 1.0',
    ):
        assert line in lines


async def test_the_dashboard_shows_what_there_is_and_nothing_else(
    fresh: FastAPI, asker: httpx.AsyncClient
) -> None:
    await denoise(asker)
    await denoise(asker, b"hello")
    fresh.state.n2n.telemetry.dropped("torch", "deadline")
    found, shown = await labels_of(asker), set(re.findall(METRIC, " ".join(EXPRESSIONS)))
    assert shown <= set(found)
    families = {re.sub("_(bucket|count|sum)$", "", name) for name in found if name.startswith("n2n_")}
    assert families == {re.sub("_(bucket|count|sum)$", "", name) for name in shown if name.startswith("n2n_")}
    for expression in EXPRESSIONS:
        names = re.findall(METRIC, expression)
        for labels in re.findall(r"by \(([^)]*)\)", expression):
            assert set(labels.split(", ")) <= set.intersection(*(found[name] for name in names)), expression


def test_every_metric_and_no_other_is_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
    families = text_string_to_metric_families(Telemetry("1", "2").scrape().decode())
    ending = {"counter": "_total"}
    known = {f.name + ending.get(f.type, "") for f in families if f.name.startswith("n2n_")}
    assert set(re.findall(r"`(n2n_\w+)`", page)) == known


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    source = next(iter(DASHBOARD["templating"]["list"]))
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    assert used == {f"${{{source['name']}}}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells), "panels overlap"
    assert max(x for x, _ in cells) < 24
