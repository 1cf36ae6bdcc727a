"""The models that can be used."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path

from service.errors import responses
from service.registry import Registry, ServedModel
from service.routes.state import StateDep
from service.schemas import Model, ModelList

router = APIRouter(prefix="/models", tags=["models"], responses=responses(500))


@router.get("")
async def list_models(state: StateDep) -> ModelList:
    """All models, with their origin and measured quality."""
    await state.registry.refresh()
    models = state.registry.models
    return ModelList(models=[_describe(state.registry, models[name]) for name in sorted(models)])


@router.get("/{model}", responses=responses(404, 422))
async def get_model(
    model: Annotated[str, Path(description="the model's id", examples=["scratch"])], state: StateDep
) -> Model:
    """One model."""
    await state.registry.refresh()
    return _describe(state.registry, state.registry.get(model))


def _describe(registry: Registry, model: ServedModel) -> Model:
    return Model(
        id=model.entry.id,
        task=model.entry.task,
        default=model.entry.id == registry.default,
        parameters=model.parameters,
        sha256=model.entry.sha256,
        **asdict(model.card),
    )
