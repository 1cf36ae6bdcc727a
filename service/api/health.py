"""Whether the process runs, whether it can serve, and how it does."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from service.api.dependencies import KeyringDep, RegistryDep, SchedulerDep, TelemetryDep
from service.api.examples import PROMETHEUS
from service.api.openapi import ALWAYS, responses, text
from service.api.schemas import Health, Readiness
from service.http.errors import ProblemError
from service.http.problem_types import NOT_READY, STOPPING
from service.telemetry import MEDIA_TYPE

router = APIRouter(tags=["health"], responses=ALWAYS)


@router.get("/healthz")
async def get_health() -> Health:
    """The process runs."""
    return Health()


@router.get("/readyz", responses=responses(STOPPING, NOT_READY))
async def get_readiness(scheduler: SchedulerDep, registry: RegistryDep, keyring: KeyringDep) -> Readiness:
    """The models are loaded and warm: send traffic."""
    if scheduler.draining:
        raise ProblemError(STOPPING, "the service is stopping, expected another one")
    if not registry.ready:
        raise ProblemError(NOT_READY, "the models are not warm yet, try again in a second")
    await registry.refresh()
    if keyring.required:  # whoever asks has shown no key
        return Readiness()
    return Readiness(
        models=sorted(registry.models),
        device=",".join(device.name for device in registry.devices),
    )


@router.get(
    "/metrics", response_class=PlainTextResponse, responses=text("All figures", "text/plain", PROMETHEUS)
)
async def get_metrics(telemetry: TelemetryDep) -> Response:
    """What Prometheus scrapes, in its text format."""
    return Response(telemetry.scrape(), media_type=MEDIA_TYPE)
