"""Whether the process runs, and whether it can serve."""

from fastapi import APIRouter

from service.errors import ProblemError, responses
from service.routes.state import StateDep
from service.schemas import Health, Readiness

router = APIRouter(tags=["health"], responses=responses(500))


@router.get("/healthz")
async def get_health() -> Health:
    """The process runs."""
    return Health()


@router.get("/readyz", responses=responses(503))
async def get_readiness(state: StateDep) -> Readiness:
    """The models are loaded and warm: send traffic."""
    if not state.registry.ready:
        raise ProblemError(503, "not_ready", "the models are not warm yet, try again in a second")
    models = state.registry.models
    device = next(iter(models.values())).denoiser.device
    return Readiness(models=sorted(models), device=str(device))
