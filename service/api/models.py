"""The models that there are: their versions, what is served, and the files to take along."""

from functools import cache, partial
from pathlib import Path as FilePath
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from n2n_core.errors import ConfigError, WeightsError
from n2n_core.files import storing
from n2n_core.inference.onnx_export import can_export, to_onnx
from n2n_core.models import weights
from service.api.dependencies import State, StateDep
from service.api.openapi import ALWAYS, FILE, links, picture, responses
from service.api.schemas import Model, ModelList, ModelVersions
from service.exceptions import ConflictError
from service.http.errors import ProblemError
from service.http.negotiation import BINARY
from service.http.problem_types import (
    BAD_MODEL,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    CONFLICT,
    NOT_INSTALLED,
    OVERLOADED,
    READ_TIMEOUT,
    STORAGE,
    TOTAL_TIMEOUT,
    UNKNOWN_MODEL,
)
from service.storage.dataset_import import arriving
from service.storage.model_catalogue import Version
from service.storage.model_check import DEFAULT, check_name

router = APIRouter(prefix="/models", tags=["models"], responses=ALWAYS)

MAX_REFERENCE = 80
"""Characters: a name, and a number."""

Reference = Annotated[
    str,
    Path(
        description="the model's `name`, or one version of it, `name@2`",
        max_length=MAX_REFERENCE,
        examples=["scratch"],
    ),
]
_FOUND = responses(UNKNOWN_MODEL, BAD_REQUEST)
_NEXT = links(
    (
        "get_model",
        "list_model_versions",
        "download_model",
        "promote_model",
        "roll_back_model",
        "delete_model",
    ),
    model="$response.body#/id",
) | links(("denoise", "denoise_batch"), model="$response.body#/id")


@router.get("")
async def list_models(state: StateDep) -> ModelList:
    """The promoted version of every model, with its origin and measured quality."""
    await state.loaded_models.refresh()
    found = await run_sync(state.catalogue.list_served)
    return ModelList(models=[_describe(state, version) for version in found])


@router.get("/{model}", responses=_FOUND)
async def get_model(state: StateDep, model: Reference) -> Model:
    """One model, by its name the promoted version."""
    await state.loaded_models.refresh()
    return _describe(state, await run_sync(state.catalogue.resolve, _name(state, model)))


@router.get("/{model}/versions", responses=_FOUND)
async def list_model_versions(state: StateDep, model: Reference) -> ModelVersions:
    """All versions of a model, the newest first, each with its metrics and where it comes from."""
    found = await run_sync(state.catalogue.list_versions, _name(state, model))
    return ModelVersions(versions=[_describe(state, version) for version in found])


@router.post(
    "/{model}/versions",
    status_code=201,
    response_model=Model,
    responses={
        201: {"links": _NEXT},
        **responses(READ_TIMEOUT, TOTAL_TIMEOUT, BODY_TOO_LARGE, BAD_MODEL, BAD_REQUEST, OVERLOADED, STORAGE),
    },
    openapi_extra={"requestBody": {"required": True, "content": {BINARY: {"schema": FILE}}}},
)
async def upload_model(
    request: Request,
    state: StateDep,
    model: Annotated[str, Path(description="the model's name, new or not", examples=["mine"])],
    task: Annotated[
        str, Query(max_length=200, description="what it is for; else that of the model so far")
    ] = "",
    promote: Annotated[bool, Query(description="serve it under its bare name at once")] = True,
) -> Response:
    """Add a version from a safetensors file, whose metadata have the architecture's configuration.

    It is kept under its hash if the model can be rebuilt from it, its values are finite, and it makes a
    picture of a picture.
    """
    try:
        check_name(model)
        with arriving(state.folder) as workspace:
            path = workspace / f"{model}.safetensors"
            await _save(request, path)
            version = await run_sync(partial(state.catalogue.upload, path, model, task, promote=promote))
    except (WeightsError, ConfigError) as error:
        detail = str(error).rsplit("/", 1)[-1] if isinstance(error, WeightsError) else str(error)
        raise ProblemError(422, "bad_model", detail) from error
    await run_sync(state.loaded_models.update)
    body = _describe(state, version).model_dump(mode="json")
    return JSONResponse(body, 201, {"Location": f"/models/{version.name}@{version.version}"})


@router.get(
    "/{model}/download",
    response_class=Response,
    responses={**picture("The file"), **responses(UNKNOWN_MODEL, BAD_REQUEST, NOT_INSTALLED)},
)
async def download_model(
    state: StateDep,
    model: Reference,
    format: Annotated[
        Literal["safetensors", "onnx"],
        Query(description="as it is, or made for other runtimes and checked against torch"),
    ] = "safetensors",
) -> Response:
    """The weights, with all that is needed to rebuild the model."""
    version = await run_sync(state.catalogue.resolve, _name(state, model))
    path, name = state.catalogue.path(version), f"{version.name}-{version.version}.{format}"
    if format == "safetensors":
        return FileResponse(path, media_type=BINARY, filename=name, headers={"ETag": f'"{version.sha256}"'})
    if not can_export():
        detail = "ONNX files are not made here, expected format=safetensors (or pip install 'n2n[onnx]')"
        raise ProblemError(501, "not_installed", detail)
    content = await run_sync(state.background.run, to_onnx, path)
    return Response(content, headers=_as_file(name), media_type=BINARY)


@router.post("/{model}/promote", responses=_FOUND)
async def promote_model(state: StateDep, model: Reference) -> Model:
    """Let the bare name stand for the version `name@2`."""
    return await _changed(state, await run_sync(state.catalogue.promote, _name(state, model)))


@router.post("/{model}/rollback", responses=_FOUND | responses(CONFLICT))
async def roll_back_model(state: StateDep, model: Reference) -> Model:
    """Let the bare name stand for what it stood for before."""
    return await _changed(state, await run_sync(state.catalogue.roll_back, _name(state, model)))


@router.delete("/{model}", status_code=204, responses=_FOUND | responses(CONFLICT))
async def delete_model(state: StateDep, model: Reference) -> None:
    """Delete the version `name@2`, or by its name a model with all versions.

    Not the shipped ones, the default one, what a job starts from, or the promoted one of several.
    """
    version = await run_sync(state.catalogue.resolve, _name(state, model))
    if version.promoted and version.name == state.loaded_models.default:
        raise ConflictError(f"{version.name!r} is the default model (N2N_DEFAULT_MODEL)")
    await run_sync(state.catalogue.delete, model)
    await run_sync(state.loaded_models.update)


async def _changed(state: State, version: Version) -> Model:
    """What other requests see from now on."""
    await run_sync(state.loaded_models.update)
    return _describe(state, version)


async def _save(request: Request, path: FilePath) -> None:
    with storing(FilePath(path.name)), path.open("xb") as file:
        async for piece in request.stream():
            await run_sync(file.write, piece)


def _name(state: State, reference: str) -> str:
    return state.loaded_models.default if reference == DEFAULT else reference


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


@cache
def _parameters(path: FilePath) -> int:
    """By the file, which has its hash for a name and never changes."""
    return weights.count_values(path)


def _describe(state: State, version: Version) -> Model:
    return Model.model_validate(
        {
            **version.card, **vars(version), "id": version.id,
            "parameters": _parameters(state.catalogue.path(version)),
            "default": version.promoted and version.name == state.loaded_models.default,
        }
    )  # fmt: skip
