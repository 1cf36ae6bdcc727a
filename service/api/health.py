"""Endpoints for monitoring: health, readiness and metrics."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from service.api.dependencies import KeyringDep, LoadedModelsDep, SchedulerDep, TelemetryDep
from service.api.examples import PROMETHEUS
from service.api.openapi import ALWAYS, responses, text
from service.api.schemas import Health, Readiness
from service.http.errors import ProblemError
from service.http.problem_types import NOT_READY, STOPPING
from service.telemetry import MEDIA_TYPE

router = APIRouter(tags=["health"], responses=ALWAYS)


@router.get("/healthz")
async def get_health() -> Health:
    """Check that the process runs."""
    return Health()


@router.get("/readyz", responses=responses(STOPPING, NOT_READY))
async def get_readiness(scheduler: SchedulerDep, loaded: LoadedModelsDep, keyring: KeyringDep) -> Readiness:
    """Check that the models are loaded and warm, so that the service can take requests."""
    if scheduler.draining:
        raise ProblemError(STOPPING, "the service is stopping, try another one")
    if not loaded.ready:
        raise ProblemError(NOT_READY, "the models are not loaded yet, try again in a second")
    await loaded.refresh(seconds=0)  # whoever asks this wants an answer at once
    if not loaded.models:
        raise ProblemError(NOT_READY, "no model can be served; the server's log has the reasons")
    if keyring.required:  # this endpoint needs no key, so do not reveal more
        return Readiness()
    return Readiness(
        models=sorted(loaded.models),
        unavailable=loaded.unavailable,
        device=",".join(device.name for device in loaded.devices),
    )


@router.get(
    "/metrics", response_class=PlainTextResponse, responses=text("All figures", "text/plain", PROMETHEUS)
)
async def get_metrics(telemetry: TelemetryDep) -> Response:
    """Get the metrics in Prometheus' text format."""
    return Response(telemetry.scrape(), media_type=MEDIA_TYPE)
