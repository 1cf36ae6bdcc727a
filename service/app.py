"""The web application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
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
from service.api.dependencies import State
from service.api.one_by_one import OneByOne
from service.api.openapi import completed, responses
from service.api.schemas import MAX_JSON
from service.api.train_jobs import jobs
from service.http import errors
from service.http.authentication import Authentication
from service.http.body_limit import BodyLimit
from service.http.cors_csrf import CrossSiteGuard, cors
from service.http.hosts import AllowedHosts
from service.http.middleware import Head, Observe, RequestId
from service.http.problem_types import REFUSALS
from service.inference.device_process import DeviceProcess
from service.inference.loaded_models import LoadedModels
from service.inference.pipeline import Pipeline
from service.inference.scheduler import Scheduler
from service.jobs.store import JobStore
from service.jobs.supervisor import Supervisor
from service.processes.background import BackgroundProcess
from service.processes.fair_pool import FairPool
from service.settings.server import Settings
from service.storage.data_folder import DataFolder
from service.storage.database import Database
from service.storage.dataset_store import DatasetStore
from service.storage.idempotency import IdempotencyKeys
from service.storage.model_catalogue import ModelCatalogue
from service.storage.model_check import CHECK_MEMORY, CHECK_SECONDS, CheckInProcess
from service.storage.orphans import sweep
from service.storage.receiving import Receiving
from service.telemetry import Telemetry

log = logging.getLogger("n2n.service")

EXPORT_MEMORY, CALL_SECONDS = 2**31, 60.0
"""Bytes that an ONNX export may take, and seconds that an export or a thumbnail may."""

DESCRIPTION = """\
Denoise images with networks that were trained from noisy pictures alone (Noise2Noise).

    curl -F file=@img.png 'localhost:8000/denoise?model=scratch' -o out.png

Every error is an RFC 9457 problem (`application/problem+json`).
"""


def create_app(
    settings: Settings,
    tracers: TracerProvider | None = None,
    *,
    device: type[DeviceProcess] = DeviceProcess,
    background: type[BackgroundProcess] = BackgroundProcess,
) -> FastAPI:
    """Make the service. Nothing is created on disk or loaded until it starts.

    Args:
        tracers: OpenTelemetry provider to use instead of the process's own.
        device: class that runs the networks of a device. Tests pass one that starts no process.
        background: class that runs the work beside the requests; likewise.

    Raises:
        N2NError: the weights folder, the default model or the device cannot be used.
    """
    app = FastAPI(
        title="n2n",
        version=n2n_core.__version__,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url=None,  # ours loads no files from other sites
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
    app.state.n2n = _state(settings, device, background)
    for module in (single, batch, models, datasets, jobs, health, docs, page):
        app.include_router(module.router)
    app.mount(ASSETS, docs.files)
    app.mount(PAGE, page.files)
    _add_middleware(app, app.state.n2n)
    errors.add_handlers(app)
    _complete(app)
    return app


def _state(
    settings: Settings, device_class: type[DeviceProcess], background_class: type[BackgroundProcess]
) -> State:
    """Make the collaborators, and connect them."""
    background = background_class(seconds=CALL_SECONDS)
    checks = background_class(memory=CHECK_MEMORY, seconds=CHECK_SECONDS)
    exports = background_class(memory=EXPORT_MEMORY, seconds=CALL_SECONDS)
    devices = [device_class(name, settings.threads) for name in _device_names(settings, background)]
    database, folder = Database(settings.database_url), DataFolder(settings.data)
    store = JobStore(database, settings.key_jobs)
    catalogue = ModelCatalogue(database, folder, check=CheckInProcess(checks))
    telemetry = Telemetry(n2n_core.__version__, version("torch"))
    for device in devices:
        telemetry.watch_device(device.name, device.resident_bytes)
    scheduler = Scheduler(len(devices), settings.max_waiting_pixels, telemetry)
    return State(
        settings=settings,
        loaded_models=LoadedModels(settings.weights, settings.default_model, devices, catalogue),
        pipeline=Pipeline(
            settings.max_pixels, scheduler, telemetry, settings.max_frames, settings.png_compression
        ),
        telemetry=telemetry,
        jobs=store,
        datasets=DatasetStore(database, settings.key_dataset_bytes),
        catalogue=catalogue,
        idempotency_keys=IdempotencyKeys(database),
        keyring=Keyring(ApiKeys(database), folder.keys_required, settings.require_keys),
        folder=folder,
        supervisor=Supervisor(settings, store),
        imports=FairPool(settings.imports, partial(background_class, memory=settings.import_memory)),
        receiving=Receiving(settings.key_dataset_bytes),
        thumbnails=OneByOne(background),
        checks=OneByOne(checks),
        exports=OneByOne(exports),
    )


def _device_names(settings: Settings, background: BackgroundProcess) -> list[str]:
    """List the devices to use; for the CPU alone, no process has to load torch for it."""
    return ["cpu"] if settings.device == "cpu" else background.run(device_names, settings.device)


def _add_middleware(app: FastAPI, state: State) -> None:
    """Add the middleware from the inside out: the last one added sees a request first."""
    settings = state.settings
    own = {
        "/datasets": ("N2N_MAX_DATASET_BYTES", settings.max_dataset_bytes),
        "/train-jobs": ("of JSON", MAX_JSON),
    }
    quotas = Quotas(settings.key_rate, settings.key_concurrency)
    app.add_middleware(single.SmallPictures, state=state)
    app.add_middleware(BodyLimit, settings=settings, own=own)
    app.add_middleware(Head)
    app.add_middleware(Authentication, keyring=state.keyring, quotas=quotas)
    if settings.cors_origins:
        app.add_middleware(cors, origins=settings.cors_origins)
    app.add_middleware(CrossSiteGuard, origins=settings.cors_origins)
    if settings.allowed_hosts:
        app.add_middleware(AllowedHosts, hosts=settings.allowed_hosts)
    app.add_middleware(Observe, telemetry=state.telemetry)
    app.add_middleware(RequestId)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.n2n
    await anyio.to_thread.run_sync(_open, state)
    log.info("ready: models %s", ", ".join(sorted(state.loaded_models.models)))
    yield
    await state.pipeline.close()
    if state.settings.train_concurrency:
        await anyio.to_thread.run_sync(state.supervisor.close)
    state.imports.close()
    for turns in (state.thumbnails, state.checks, state.exports):
        turns.close()
    state.loaded_models.close()
    state.jobs.database.close()


def _open(state: State) -> None:
    state.jobs.database.migrate()
    state.keyring.look()
    state.folder.make()
    sweep(state.folder, state.datasets, state.catalogue)
    state.loaded_models.open()
    for turns in (state.thumbnails, state.checks):
        turns.process.stop()  # start-up is what it was needed for
    if state.settings.train_concurrency:
        state.supervisor.start()


def _can_export() -> bool:
    """Return whether the extra ``otel`` is installed. OTEL_EXPORTER_OTLP_ENDPOINT then enables the export."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:  # a parent package is missing
        return False


def _operation_id(route: APIRoute) -> str:
    return route.name


def _complete(app: FastAPI) -> None:
    """Complete the OpenAPI document. It is generated once, on its first request."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        made = app.openapi_schema is not None
        document = generate()
        if made:
            return document
        describe(document, {str(status): response for status, response in responses(*REFUSALS).items()})
        return completed(document)

    app.openapi = openapi  # type: ignore[method-assign]
