"""Whether the process runs, whether it can serve, and how it does."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from service.api.dependencies import StateDep
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
async def get_readiness(state: StateDep) -> Readiness:
    """The models are loaded and warm: send traffic."""
    if state.worker.scheduler.draining:
        raise ProblemError(503, "stopping", "the service is stopping, expected another one")
    if not state.loaded_models.ready:
        raise ProblemError(503, "not_ready", "the models are not warm yet, try again in a second")
    await state.loaded_models.refresh()
    if state.keyring.required:  # whoever asks has shown no key
        return Readiness()
    return Readiness(
        models=sorted(state.loaded_models.models),
        device=",".join(device.name for device in state.loaded_models.devices),
    )


@router.get(
    "/metrics", response_class=PlainTextResponse, responses=text("All figures", "text/plain", PROMETHEUS)
)
async def get_metrics(state: StateDep) -> Response:
    """What Prometheus scrapes, in its text format."""
    return Response(state.telemetry.scrape(), media_type=MEDIA_TYPE)
