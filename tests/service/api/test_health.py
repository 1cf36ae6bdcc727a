"""``/healthz``, ``/readyz``, and paths without an endpoint."""

import httpx
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.settings.server import Settings
from tests.service import problems

pytestmark = pytest.mark.anyio


async def test_a_warm_service_is_ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = (await client.get("/readyz")).json()
    models = ["photo", "scratch", "torch", "unet"]
    assert ready == {"status": "ready", "models": models, "unavailable": {}, "device": "cpu"}


async def test_a_cold_service_is_healthy_but_not_ready() -> None:
    transport = httpx.ASGITransport(create_app(Settings(device="cpu")))
    async with httpx.AsyncClient(transport=transport, base_url="http://n2n") as cold:
        assert (await cold.get("/healthz")).status_code == 200
        problems.check(await cold.get("/readyz"), 503, "not_ready", "not loaded yet")


async def test_other_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    problems.check(await client.get("/nowhere"), 404, "not_found", "GET /nowhere")
    response = await client.get("/denoise")
    problems.check(response, 405, "method_not_allowed", "GET /denoise")
    assert response.headers["allow"] == "POST"


async def test_the_root_is_the_page_and_the_docs_are_beside_it(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "swagger" in (await client.get("/docs")).text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/models", "/models/torch", "/docs"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_every_request_has_its_own_id(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/healthz")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


async def test_a_fault_of_ours_is_logged_and_not_told(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(app.state.n2n.catalogue, "database", None)
    response = await client.get("/models")
    problem = problems.check(response, 500, "internal_error")
    assert "NoneType" not in response.text
    assert problem.request_id in caplog.text
    assert "TypeError" in caplog.text or "AttributeError" in caplog.text
