"""The real app with the real weights, through httpx."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings

MAX_BYTES, MAX_PIXELS = 2_000_000, 1_000_000


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder for the apps, and the processes, that the test itself makes."""
    folder = tmp_path / "data"
    monkeypatch.setenv("N2N_DATA", str(folder))
    return folder


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    data = tmp_path_factory.mktemp("data")
    return create_app(Settings(data=data, device="cpu", max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS))


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://n2n") as client,
    ):
        yield client
