"""The real app with the real weights, through httpx."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from service.settings.server import Settings
from tests.course_models import publish_course_models
from tests.service.databases import database, dataset, folder, postgresql, store
from tests.service.serving import quick_app

__all__ = ["database", "dataset", "folder", "postgresql", "store"]

MAX_BYTES, MAX_PIXELS = 2_000_000, 1_000_000


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the course's two models, which start in half the time of all the shipped ones."""
    return publish_course_models(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def data(tmp_path: Path, two_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, and few models, for the apps and the processes that the test itself makes."""
    folder = tmp_path / "data"
    monkeypatch.setenv("N2N_DATA", str(folder))
    monkeypatch.setenv("N2N_WEIGHTS", str(two_models))
    return folder


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    data = tmp_path_factory.mktemp("data")
    return quick_app(Settings(data=data, device="cpu", max_bytes=MAX_BYTES, max_pixels=MAX_PIXELS))


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://n2n") as client,
    ):
        yield client
