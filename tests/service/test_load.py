"""The service under load: rejections, disconnects, deadlines, replaced models, and shutdown."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from n2n_core.models import weights
from service.api.dependencies import State
from service.http.body_limit import BodyLimit
from service.inference import loaded_models
from service.settings.server import Settings
from tests.pictures import drawn, file, opened
from tests.service import problems
from tests.service.serving import quick_app

pytestmark = pytest.mark.anyio
SMALL, LARGE = file(drawn("RGB", 32, 32)), file(drawn("RGB", 512, 512))
TYPE = {"Content-Type": "image/png"}


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    app = quick_app(Settings(device="cpu", **settings))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://n2n", timeout=60) as client,
    ):
        yield client, app


async def post(client: httpx.AsyncClient, content: bytes = SMALL, **params: object) -> httpx.Response:
    query = {name: str(value) for name, value in {"model": "scratch", **params}.items()}
    return await client.post("/denoise", content=content, headers=TYPE, params=query)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


def state(app: FastAPI) -> State:
    held = app.state.n2n
    assert isinstance(held, State)
    return held


async def test_answers_under_load_are_those_of_one_alone() -> None:
    async with serving() as (client, app):
        pictures = [file(drawn("RGB", 32 + 4 * (i % 3), 32, seed=i)) for i in range(40)]
        alone = [(await post(client, content)).content for content in pictures[:10]]
        together = await asyncio.gather(*(post(client, content) for content in pictures))
        assert [response.status_code for response in together] == [200] * 40
        for response, content in zip(together, alone, strict=False):
            got, expected = (np.asarray(opened(data)).astype(int) for data in (response.content, content))
            assert np.abs(got - expected).max() <= 1  # batches may be rounded in another order
        assert state(app).pipeline.scheduler.pixels == 0


async def test_beyond_the_bound_pictures_are_refused_at_once_and_the_others_served() -> None:
    async with serving(max_waiting_pixels=1000) as (client, _):
        responses = await asyncio.gather(*(post(client, LARGE, model="torch") for _ in range(6)))
        good = [response for response in responses if response.status_code == 200]
        assert 1 <= len(good) < 6
        for response in responses:
            if response not in good:
                problems.check(response, 503, "overloaded", "pixels are waiting")
                assert int(response.headers["retry-after"]) >= 1
        assert (await post(client)).status_code == 200


async def test_an_answer_that_would_be_too_late_is_refused() -> None:
    async with serving() as (client, _):
        late = await post(client, LARGE, model="torch", self_ensemble="true", timeout=1)
        problems.check(late, 503, "too_late", "at most 1 s")
        problems.check(await post(client, timeout=0), 422, "bad_request", "timeout")
        assert (await post(client, timeout=30)).status_code == 200


async def test_one_corrupt_picture_spoils_no_other() -> None:
    async with serving() as (client, _):
        contents = [SMALL[:200] if i % 5 == 0 else SMALL for i in range(50)]
        responses = await asyncio.gather(*(post(client, content) for content in contents))
        for content, response in zip(contents, responses, strict=True):
            assert response.status_code == (422 if len(content) == 200 else 200)


async def test_what_is_left_of_a_picture_is_dropped_when_its_client_hangs_up() -> None:
    async with serving() as (client, app):
        scheduler = state(app).pipeline.scheduler
        tasks = [asyncio.ensure_future(post(client, LARGE, model="torch")) for _ in range(8)]
        await until(lambda: scheduler.pixels > 6 * 512**2)
        for task in tasks:
            task.cancel()
        assert (await post(client)).status_code == 200
        await until(lambda: scheduler.pixels == 0)
        metrics = (await client.get("/metrics")).text
        assert 'n2n_dropped_total{model="torch",reason="cancelled"}' in metrics


def held(app: Any) -> int:
    """The bytes of all bodies in memory; the app makes its middleware for its first request."""
    layer = app.middleware_stack
    while layer and not isinstance(layer, BodyLimit):
        layer = layer.app
    return layer.held if layer else 0


async def test_bodies_under_way_are_bounded_together() -> None:
    async with serving(max_body_bytes=1000, max_bytes=10**6) as (client, app):
        begun, released = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield SMALL[:900]
            begun.set()
            await released.wait()
            yield SMALL[900:]

        headers = {**TYPE, "Content-Length": str(len(SMALL))}
        first = asyncio.ensure_future(client.post("/denoise", content=slow(), headers=headers))
        await begun.wait()
        await until(lambda: held(app) == 900)
        problems.check(await post(client), 503, "overloaded", "900 bytes", "N2N_MAX_BODY_BYTES")
        released.set()
        assert (await first).status_code == 200
        assert (await post(client)).status_code == 200  # one alone may exceed the bound


async def test_bodies_count_until_they_are_answered_and_promises_do_not() -> None:
    """Four slow connections that announce much shut nobody out; bodies that were read and wait, do count."""
    async with serving(max_body_bytes=2 * 10**6, max_bytes=2 * 10**6) as (client, app):
        ended = asyncio.Event()

        async def promise() -> AsyncIterator[bytes]:
            yield b"x"
            await ended.wait()

        headers = {**TYPE, "Content-Length": str(10**6)}
        slow = [
            asyncio.ensure_future(client.post("/denoise", content=promise(), headers=headers))
            for _ in range(4)
        ]
        await until(lambda: held(app) == 4)
        assert (await post(client)).status_code == 200
        for task in slow:
            task.cancel()
        await until(lambda: held(app) == 0)
        waiting = asyncio.ensure_future(post(client, LARGE + bytes(1_990_000 - len(LARGE)), model="torch"))
        await until(lambda: state(app).pipeline.scheduler.pixels > 0)
        problems.check(await post(client, LARGE), 503, "overloaded", "1990000 bytes")
        assert (await waiting).status_code == 200
        assert (await post(client, LARGE)).status_code == 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(weights.SHIPPED, tmp_path / "weights")
    return tmp_path / "weights"


async def test_a_published_model_is_served_without_a_restart(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 0.0)
    async with serving(weights=folder) as (client, app):
        problems.check(await post(client, model="new"), 404, "unknown_model")
        before = state(app).loaded_models.models["scratch"]
        weights.publish(folder / "torch.safetensors", "new", "a copy", None, folder)
        response = await post(client, model="new")
        assert response.status_code == 200
        assert response.headers["n2n-model"] == "new"
        assert state(app).loaded_models.models["scratch"] is before
        assert {model["id"] for model in (await client.get("/models")).json()["models"]} == {
            "photo", "scratch", "torch", "unet", "new",
        }  # fmt: skip
        (folder / "new.safetensors").write_bytes(b"damaged")
        (folder / "index.json").write_text((folder / "index.json").read_text() + " ")
        assert (await post(client, model="new")).status_code == 200  # from memory
        (folder / "index.json").write_text("{}")
        assert (await post(client)).status_code == 200
        assert "the models stay as they are" in caplog.text


async def test_a_replaced_model_loses_no_request(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded_models, "CHECK_SECONDS", 0.0)
    async with serving(weights=folder) as (client, _):
        tasks = [asyncio.ensure_future(post(client)) for _ in range(30)]
        weights.publish(folder / "torch.safetensors", "scratch", "", None, folder, overwrite=True)
        tasks += [asyncio.ensure_future(post(client)) for _ in range(30)]
        responses = await asyncio.gather(*tasks)
        assert {response.status_code for response in responses} == {200}
        last = await post(client)
        assert last.headers["n2n-weights-sha256"] == weights.find("scratch", folder).sha256


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``n2n serve`` in a process of its own, and its address."""
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0"]
    environment = {**os.environ, "N2N_DEVICE": "cpu", "N2N_GRACE": "30"}
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stderr
    line = next(line for line in server.stderr if "serving on" in line)
    yield server, "http://" + line.rsplit("http://")[1].strip()
    server.kill()
    server.communicate()


async def waiting(client: httpx.AsyncClient) -> float:
    """Pixels that wait for the device."""
    found = re.search(r"^n2n_pixels_waiting (\S+)", (await client.get("/metrics")).text, re.MULTILINE)
    assert found
    return float(found[1])


@pytest.mark.slow
async def test_sigterm_finishes_what_was_taken_on(
    process: tuple[subprocess.Popen[str], str],
) -> None:
    server, address = process
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        assert (await post(client)).status_code == 200
        large = [asyncio.ensure_future(post(client, LARGE, model="torch")) for _ in range(4)]
        while await waiting(client) < 3 * 512**2:  # the fourth is under way
            await asyncio.sleep(0.01)
        server.send_signal(signal.SIGTERM)
        responses = await asyncio.gather(*large)
        assert [response.status_code for response in responses] == [200] * 4
    assert await asyncio.to_thread(server.wait, 30) == 0
