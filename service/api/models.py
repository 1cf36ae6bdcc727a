"""Endpoints of models: list, upload, download, promote and delete their versions."""

from functools import cache, partial
from pathlib import Path as FilePath
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from n2n_core.errors import ConfigError, WeightsError
from n2n_core.files import storing
from n2n_core.inference.onnx_export import can_export, to_onnx
from n2n_core.models import weights
from n2n_core.models.names import DEFAULT, check_name
from service.api.dependencies import CatalogueDep, ChecksDep, ExportsDep, FolderDep, LoadedModelsDep
from service.api.openapi import ALWAYS, FILE, links, picture, responses
from service.api.schemas import Model, ModelList, ModelVersions
from service.exceptions import ConflictError, RefusedError
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
    UNAVAILABLE,
    UNKNOWN_MODEL,
)
from service.inference.loaded_models import RETRY_SECONDS, LoadedModels
from service.storage.dataset_import import upload_folder
from service.storage.model_catalogue import Version

router = APIRouter(prefix="/models", tags=["models"], responses=ALWAYS)

MAX_REFERENCE = 80
"""Longest reference in characters: a name and a version number."""

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
async def list_models(loaded: LoadedModelsDep, catalogue: CatalogueDep) -> ModelList:
    """List the promoted version of every model, with its origin and measured quality."""
    await loaded.refresh()
    found = await run_sync(catalogue.list_served)
    return ModelList(models=[_describe(loaded, version) for version in found])


@router.get("/{model}", responses=_FOUND)
async def get_model(loaded: LoadedModelsDep, catalogue: CatalogueDep, model: Reference) -> Model:
    """Get a version of a model; by the bare name, the promoted one."""
    await loaded.refresh()
    return _describe(loaded, await run_sync(catalogue.resolve, _name(loaded, model)))


@router.get("/{model}/versions", responses=_FOUND)
async def list_model_versions(
    loaded: LoadedModelsDep, catalogue: CatalogueDep, model: Reference
) -> ModelVersions:
    """List all versions of a model, newest first, with their metrics and origins."""
    found = await run_sync(catalogue.list_versions, _name(loaded, model))
    return ModelVersions(versions=[_describe(loaded, version) for version in found])


@router.post(
    "/{model}/versions",
    status_code=201,
    response_model=Model,
    responses={
        201: {"links": _NEXT},
        **responses(
            READ_TIMEOUT,
            TOTAL_TIMEOUT,
            BODY_TOO_LARGE,
            BAD_MODEL,
            BAD_REQUEST,
            OVERLOADED,
            UNAVAILABLE,
            STORAGE,
        ),
    },
    openapi_extra={"requestBody": {"required": True, "content": {BINARY: {"schema": FILE}}}},
)
async def upload_model(
    request: Request,
    loaded: LoadedModelsDep,
    catalogue: CatalogueDep,
    checks: ChecksDep,
    folder: FolderDep,
    model: Annotated[str, Path(description="the model's name, new or not", examples=["mine"])],
    task: Annotated[
        str, Query(max_length=200, description="what it is for; else that of the model so far")
    ] = "",
    promote: Annotated[bool, Query(description="serve it under its bare name at once")] = True,
) -> Response:
    """Add a version from a safetensors file with the architecture's configuration in its metadata.

    The file is accepted if the model can be rebuilt from it, its values are finite, the model turns a
    picture into a picture, and it takes neither too much memory nor too long.
    """
    try:
        check_name(model)
        with upload_folder(folder) as workspace:
            path = workspace / f"{model}.safetensors"
            await _save(request, path)
            enter = partial(catalogue.upload, path, model, task, promote=promote)
            version = await checks.run(request, enter)
    except (WeightsError, ConfigError) as error:
        detail = _without_folder(error) if isinstance(error, WeightsError) else str(error)
        raise ProblemError(BAD_MODEL, detail) from error
    await loaded.update_now()
    body = _describe(loaded, version).model_dump(mode="json")
    return JSONResponse(body, 201, {"Location": f"/models/{version.name}@{version.version}"})


@router.get(
    "/{model}/download",
    response_class=Response,
    responses={
        **picture("The file"),
        **responses(UNKNOWN_MODEL, BAD_REQUEST, NOT_INSTALLED, OVERLOADED, UNAVAILABLE),
    },
)
async def download_model(
    request: Request,
    loaded: LoadedModelsDep,
    catalogue: CatalogueDep,
    exports: ExportsDep,
    model: Reference,
    format: Annotated[
        Literal["safetensors", "onnx"],
        Query(description="as it is, or made for other runtimes and checked against torch"),
    ] = "safetensors",
) -> Response:
    """Download the weights, with everything needed to rebuild the model."""
    version = await run_sync(catalogue.resolve, _name(loaded, model))
    name = f"{version.name}-{version.version}.{format}"
    if format == "onnx" and not can_export():
        detail = "ONNX export is not installed, expected format=safetensors (or pip install 'n2n[onnx]')"
        raise ProblemError(NOT_INSTALLED, detail)
    try:
        content = await run_sync(catalogue.intact, version)
        if format == "safetensors":
            return Response(
                content, headers=_as_file(name) | {"ETag": f'"{version.sha256}"'}, media_type=BINARY
            )
        export = partial(exports.process.run, to_onnx, catalogue.path(version), version.sha256)
        content = await exports.run(request, export)
    except WeightsError as error:
        detail = f"the file of {version.id!r} cannot be read: {_without_folder(error)}"
        raise RefusedError("unavailable", detail, RETRY_SECONDS) from error
    return Response(content, headers=_as_file(name), media_type=BINARY)


@router.post("/{model}/promote", responses=_FOUND)
async def promote_model(loaded: LoadedModelsDep, catalogue: CatalogueDep, model: Reference) -> Model:
    """Make `name@2` the version that the bare name stands for."""
    return await _changed(loaded, await run_sync(catalogue.promote, _name(loaded, model)))


@router.post("/{model}/rollback", responses=_FOUND | responses(CONFLICT))
async def roll_back_model(loaded: LoadedModelsDep, catalogue: CatalogueDep, model: Reference) -> Model:
    """Make the previously promoted version the promoted one again."""
    return await _changed(loaded, await run_sync(catalogue.roll_back, _name(loaded, model)))


@router.delete("/{model}", status_code=204, responses=_FOUND | responses(CONFLICT))
async def delete_model(loaded: LoadedModelsDep, catalogue: CatalogueDep, model: Reference) -> None:
    """Delete the version `name@2`, or by its bare name a model with all versions.

    Shipped models, the default model, versions that an unfinished job starts from, and the promoted one of
    several versions cannot be deleted.
    """
    version = await run_sync(catalogue.resolve, _name(loaded, model))
    if version.promoted and version.name == loaded.default:
        raise ConflictError(
            f"{version.name!r} is the default model (N2N_DEFAULT_MODEL), it cannot be deleted"
        )
    await run_sync(catalogue.delete, model)
    await loaded.update_now()


async def _changed(loaded: LoadedModels, version: Version) -> Model:
    """Let other requests see the change, and describe the version."""
    await loaded.update_now()
    return _describe(loaded, version)


async def _save(request: Request, path: FilePath) -> None:
    with storing(FilePath(path.name)), path.open("xb") as file:
        async for piece in request.stream():
            await run_sync(file.write, piece)


def _name(loaded: LoadedModels, reference: str) -> str:
    return loaded.default if reference == DEFAULT else reference


def _without_folder(error: WeightsError) -> str:
    """Return the message, which may begin with a path, from the file's name on."""
    return str(error).rsplit("/", 1)[-1]


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


@cache
def _count(path: FilePath) -> int:
    """Count the values in a file. Cached, as files are named by their hash and never change."""
    return weights.count_values(path)


def _parameters(path: FilePath) -> int | None:
    try:
        return _count(path)
    except WeightsError:  # it is damaged, which spoils no list
        return None


def _describe(loaded: LoadedModels, version: Version) -> Model:
    return Model.model_validate(
        {
            **version.card, **vars(version), "id": version.id,
            "parameters": _parameters(loaded.catalogue.path(version)),
            "unavailable": loaded.failure(version),
            "default": version.promoted and version.name == loaded.default,
        }
    )  # fmt: skip
