"""The models that there are: their versions, what is served, and the files to take along."""

from functools import cache
from pathlib import Path as FilePath
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path

from n2n_core import weights
from service.errors import responses
from service.jobs.catalogue import Version
from service.jobs.intake import DEFAULT
from service.routes.state import State, StateDep
from service.schemas import Model, ModelList

router = APIRouter(prefix="/models", tags=["models"], responses=responses(500))

Reference = Annotated[
    str, Path(description="the model's `name`, or one version of it, `name@2`", examples=["scratch"])
]


@router.get("")
async def list_models(state: StateDep) -> ModelList:
    """The promoted version of every model, with its origin and measured quality."""
    await state.registry.refresh()
    found = await run_sync(state.catalogue.list_served)
    return ModelList(models=[_describe(state, version) for version in found])


@router.get("/{model}", responses=responses(404, 422))
async def get_model(state: StateDep, model: Reference) -> Model:
    """One model, by its name the promoted version."""
    await state.registry.refresh()
    name = state.registry.default if model == DEFAULT else model
    return _describe(state, await run_sync(state.catalogue.resolve, name))


@cache
def _parameters(path: FilePath) -> int:
    """By the file, which has its hash for a name and never changes."""
    return weights.count_values(path)


def _describe(state: State, version: Version) -> Model:
    return Model.model_validate(
        {
            **version.card, **vars(version), "id": version.id,
            "parameters": _parameters(state.catalogue.path(version)),
            "default": version.promoted and version.name == state.registry.default,
        }
    )  # fmt: skip
