"""Request ids, and clients that hang up."""

import re

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.types import Message

from service.settings.server import Settings
from tests.pictures import drawn, file
from tests.service.serving import quick_app

pytestmark = pytest.mark.anyio

PNG = file(drawn("RGB"))


@pytest.mark.parametrize("name", ["a", "A-b_c.9", "x" * 64])
async def test_a_clients_id_is_kept(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get("/nowhere", headers={"x-request-id": name})
    assert response.headers["x-request-id"] == response.json()["request_id"] == name


@pytest.mark.parametrize("name", [b"", b"x" * 65, b"a b", b"a=1", "ü".encode(), b"a\tb"])
async def test_another_is_replaced(client: httpx.AsyncClient, name: bytes) -> None:
    response = await client.get("/nowhere", headers=[(b"x-request-id", name)])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


async def hang_up(app: FastAPI, *messages: Message) -> None:
    """Post an image and be gone once ``messages`` are read."""
    waiting = [*messages]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    headers = [(b"content-type", b"image/png")]
    scope = {
        "type": "http", "method": "POST", "path": "/denoise", "raw_path": b"/denoise", "query_string": b"",
        "headers": headers, "scheme": "http", "server": ("n2n", 80), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)


@pytest.mark.parametrize("whole", [True, False])
async def test_a_client_that_hangs_up_is_counted(app: FastAPI, whole: bool) -> None:
    def counted() -> tuple[float | None, float | None]:
        registry = app.state.n2n.telemetry.registry
        labels = {"route": "/denoise", "method": "POST", "status": "499"}
        return (
            registry.get_sample_value("n2n_disconnects_total"),
            registry.get_sample_value("n2n_requests_total", labels) or 0,
        )

    before = counted()
    await hang_up(app, {"type": "http.request", "body": PNG, "more_body": not whole})
    assert counted() == tuple((value or 0) + 1 for value in before)


async def test_a_request_is_a_span_of_the_clients_trace() -> None:
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    app = quick_app(Settings(device="cpu"), tracers)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://n2n") as client,
    ):
        trace = "0af7651916cd43dd8448eb211c80319c"
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "x-request-id": "mine"}
        await client.get("/models/torch", headers=headers)
    outermost = [span for span in spans.get_finished_spans() if span.name == "GET /models/{model}"]
    assert len(outermost) == 1
    assert outermost[0].context is not None
    assert f"{outermost[0].context.trace_id:032x}" == trace
    assert outermost[0].attributes is not None
    assert outermost[0].attributes["n2n.request_id"] == "mine"


@pytest.mark.parametrize("installed", [True, False])
async def test_traces_are_exported_only_where_the_extra_is_installed(
    installed: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def find_spec(name: str) -> object:
        if not installed:
            raise ModuleNotFoundError(name)
        return object()

    monkeypatch.setattr("service.app.find_spec", find_spec)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "no address")
    app = quick_app(Settings(device="cpu"))
    messages: list[Message] = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        pass

    await app({"type": "lifespan", "state": {}}, receive, send)
    assert ("Invalid OTLP traces endpoint" in caplog.text) == installed
