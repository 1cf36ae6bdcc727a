"""The app with settings of its own; it trains nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI
from opentelemetry.trace import TracerProvider

from service.api.dependencies import State
from service.app import create_app
from service.settings.server import Settings
from tests.service.in_process import BackgroundInProcess, DeviceInProcess


def quick_app(settings: Settings, tracers: TracerProvider | None = None) -> FastAPI:
    """The app in a single process, which starts at once: see ``in_process``."""
    return create_app(settings, tracers, device=DeviceInProcess, background=BackgroundInProcess)


@asynccontextmanager
async def serving(quick: bool = True, **settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, State]]:
    """A client of the app, and what the app holds; in a single process if ``quick``."""
    make = quick_app if quick else create_app
    app = make(Settings(device="cpu", train_concurrency=0, **settings))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://n2n") as client,
    ):
        yield client, app.state.n2n


@asynccontextmanager
async def unstarted(quick: bool = True, **settings: Any) -> AsyncIterator[tuple[httpx.AsyncClient, State]]:
    """The app with its database, and without models and devices, which take seconds to start."""
    make = quick_app if quick else create_app
    app = make(Settings(device="cpu", train_concurrency=0, **settings))
    state: State = app.state.n2n
    state.jobs.database.migrate()
    state.folder.make()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://n2n") as client:
        yield client, state
    state.jobs.database.close()
