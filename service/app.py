"""The web application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import anyio
from fastapi import FastAPI
from fastapi.routing import APIRoute
from opentelemetry.trace import TracerProvider

import n2n_core
from n2n_core.device import device_names
from service.access.description import describe
from service.access.keyring import Keyring
from service.access.keys import ApiKeys
from service.access.quota import Quotas
from service.access.scopes import ASSETS, PAGE
from service.api import datasets, docs, health, models, page
from service.api.denoise import batch, single
from service.api.denoise.fast_route import FastRoute
from service.api.dependencies import State
from service.api.openapi import completed, responses
from service.api.schemas import MAX_JSON
from service.api.train_jobs import jobs
from service.http import errors
from service.http.authentication import Gate
from service.http.body_limit import BodyLimit
from service.http.cors_csrf import Browser, cors
from service.http.middleware import Head, Observe, RequestId
from service.http.problem_types import REFUSALS
from service.inference.device_process import DeviceProcess
from service.inference.loaded_models import LoadedModels
from service.inference.pipeline import Worker
from service.inference.scheduler import Scheduler
from service.jobs.store import JobStore
from service.jobs.supervisor import Supervisor
from service.processes.background import BackgroundProcess
from service.settings.server import Settings
from service.storage.data_folder import DataFolder
from service.storage.database import Database
from service.storage.dataset_store import DatasetStore
from service.storage.idempotency import IdempotencyKeys
from service.storage.model_catalogue import Catalogue
from service.storage.model_check import can_serve
from service.storage.orphans import sweep
from service.telemetry import Telemetry

log = logging.getLogger("n2n.service")

DESCRIPTION = """\
Denoise images with networks that were trained from noisy pictures alone (Noise2Noise).

    curl -F file=@img.png 'localhost:8000/denoise?model=scratch' -o out.png

Every error is an RFC 9457 problem (`application/problem+json`).
"""


def create_app(settings: Settings, tracers: TracerProvider | None = None) -> FastAPI:
    """The service; it makes and loads nothing before it starts. ``tracers`` goes before the process' own.

    Raises:
        N2NError: the weights folder, the default model or the device cannot be used.
    """
    background = BackgroundProcess()
    imports = BackgroundProcess(memory=settings.train_memory)  # so that nothing waits for a large archive
    plain = settings.device == "cpu"  # as which nobody need be asked
    names = ["cpu"] if plain else background.run(device_names, settings.device)
    devices = [DeviceProcess(name, settings.threads) for name in names]
    database, folder = Database(settings.database_url), DataFolder(settings.data)
    store = JobStore(database)
    catalogue = Catalogue(database, folder, check=lambda path: background.run(can_serve, path))
    loaded_models = LoadedModels(settings.weights, settings.default_model, devices, catalogue)
    app = FastAPI(
        title="n2n",
        version=n2n_core.__version__,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url=None,  # ours needs no other site
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
        telemetry={
            "tracer_provider": tracers,
            "auto_configure": _can_export(),
            "metrics": False,  # they are at /metrics
            "logs": False,
        },
    )
    telemetry = Telemetry(n2n_core.__version__, version("torch"))
    for device in devices:
        telemetry.watch_device(device.name, device.resident_bytes)
    scheduler = Scheduler(len(devices), settings.max_waiting_pixels, telemetry)
    worker = Worker(settings.max_pixels, scheduler, telemetry, settings.max_frames)
    state = app.state.n2n = State(
        settings, loaded_models, worker, telemetry, store, DatasetStore(database), catalogue,
        IdempotencyKeys(database), Keyring(ApiKeys(database)), folder, Supervisor(settings, store),
        background, imports,
    )  # fmt: skip
    for module in (single, batch, models, datasets, jobs, health, docs, page):
        app.include_router(module.router)
    app.mount(ASSETS, docs.files)
    app.mount(PAGE, page.files)
    app.add_middleware(FastRoute, state=state)
    app.add_middleware(
        BodyLimit,
        settings=settings,
        own={
            "/datasets": ("N2N_MAX_DATASET_BYTES", settings.max_dataset_bytes),
            "/train-jobs": ("of JSON", MAX_JSON),
        },
    )
    app.add_middleware(Head)
    app.add_middleware(
        Gate, keyring=state.keyring, quotas=Quotas(settings.key_rate, settings.key_concurrency)
    )
    if settings.cors_origins:
        app.add_middleware(cors, origins=settings.cors_origins)
    app.add_middleware(Browser, origins=settings.cors_origins)
    app.add_middleware(Observe, telemetry=telemetry)
    app.add_middleware(RequestId)  # added last, so it comes first
    errors.add_handlers(app)
    _complete(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.n2n
    await anyio.to_thread.run_sync(_open, state)
    log.info("ready: models %s", ", ".join(sorted(state.loaded_models.models)))
    yield
    await state.worker.close()
    if state.settings.train_concurrency:
        await anyio.to_thread.run_sync(state.supervisor.close)
    for process in (state.background, state.imports):
        process.close()
    state.loaded_models.close()
    state.jobs.database.close()


def _open(state: State) -> None:
    state.jobs.database.migrate()
    state.keyring.look()
    state.folder.make()
    sweep(state.folder, state.datasets, state.catalogue)
    state.loaded_models.open()
    state.background.stop()  # the work that it was started for is done
    if state.settings.train_concurrency:
        state.supervisor.start()


def _can_export() -> bool:
    """Whether the extra ``otel`` is installed; OTEL_EXPORTER_OTLP_ENDPOINT then decides."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # of a package above it
        return False


def _operation_id(route: APIRoute) -> str:
    return route.name


def _complete(app: FastAPI) -> None:
    """Let the OpenAPI document say all; it is made once, when it is first asked for."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        made = app.openapi_schema is not None
        document = generate()
        if made:
            return document
        describe(document, {str(status): response for status, response in responses(*REFUSALS).items()})
        return completed(document)

    app.openapi = openapi  # type: ignore[method-assign]
