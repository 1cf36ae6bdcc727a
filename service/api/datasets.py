"""Endpoints of datasets: pictures to train on, uploaded or read from the server's disk."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import ValidationError

from n2n_core.errors import ConfigError, DataError, LimitError
from service.api import schemas
from service.api.dependencies import (
    DatasetsDep,
    FolderDep,
    ImportsDep,
    OwnerDep,
    ReceivingDep,
    SettingsDep,
    ThumbnailsDep,
)
from service.api.disconnect import run_while_connected
from service.api.openapi import ALWAYS, FILE, form, links, picture, responses
from service.api.paging import PageSize, PageToken
from service.api.pools import DATABASE, UPLOADS
from service.http import problem_types
from service.http.errors import ProblemError
from service.http.negotiation import PNG, Accept, sent_as
from service.http.problem import FieldError
from service.http.problem_types import DATASET_ID
from service.http.upload import Upload
from service.processes.threads import uninterrupted
from service.settings.server import Settings
from service.storage import dataset_import
from service.storage.data_folder import DataFolder
from service.storage.dataset_import import (
    REPORT,
    ImportRequest,
    add_dataset,
    read_sources,
    thumbnail,
    upload_folder,
)
from service.storage.dataset_store import DatasetRecord, Json
from service.storage.receiving import Upload as ReceivedBytes

DATASET_LIMITS = {
    "pixels": (problem_types.IMAGE_TOO_LARGE, "N2N_MAX_PIXELS"),
    "frames": (problem_types.TOO_MANY_FRAMES, "N2N_MAX_FRAMES"),
    "members": (problem_types.TOO_MANY_ENTRIES, "N2N_MAX_ARCHIVE_ENTRIES"),
    "ratio": (problem_types.ARCHIVE_RATIO, "N2N_MAX_ARCHIVE_RATIO"),
    "total_bytes": (problem_types.DATASET_TOO_LARGE, "N2N_MAX_DATASET_BYTES"),
    "name_length": (problem_types.NAME_TOO_LONG, "N2N_MAX_NAME_LENGTH"),
}
"""The problem of exceeding each limit of an import (its ``Limits``), and the setting that raises it."""

_FILES = {"type": "array", "items": FILE, "minItems": 1, "description": "an archive, or pictures"}
_FORM = form(
    "DatasetUpload",
    {**schemas.DatasetRequest.model_json_schema()["properties"], "file": _FILES},
    required=["kind", "name", "file"],
    additionalProperties=False,
)
_FOLDER = {"schema": {"$ref": "#/components/schemas/DatasetFolder"}}
_BODY = {"required": True, "content": {**_FORM, "application/json": _FOLDER}}
_FOUND = responses(problem_types.UNKNOWN_DATASET, problem_types.BAD_REQUEST)
_PART_FOUND = responses(problem_types.UNKNOWN_DATASET, problem_types.NOT_FOUND, problem_types.BAD_REQUEST)
_ID = "$response.body#/id"
_NEXT = links(
    ("get_dataset", "get_dataset_report", "get_dataset_report_picture", "delete_dataset"), dataset=_ID
)
_NEXT |= links(("get_dataset_thumbnail",), dataset=_ID, scene="0")
_NEXT["create_train_job"] = {"operationId": "create_train_job", "requestBody": {"dataset": _ID}}

router = APIRouter(prefix="/datasets", tags=["datasets"], responses=ALWAYS)
Id = Annotated[str, Path(description="the dataset's id", max_length=64, examples=[DATASET_ID])]


@router.post(
    "",
    status_code=201,
    response_model=schemas.Dataset,
    responses={
        201: {"links": _NEXT},
        **responses(
            problem_types.BAD_FORM, problem_types.NO_DATASET_ROOT, problem_types.READ_TIMEOUT,
            problem_types.TOTAL_TIMEOUT, problem_types.BODY_TOO_LARGE, problem_types.IMAGE_TOO_LARGE,
            problem_types.TOO_MANY_FRAMES, problem_types.TOO_MANY_ENTRIES,
            problem_types.ARCHIVE_RATIO, problem_types.DATASET_TOO_LARGE,
            problem_types.NAME_TOO_LONG, problem_types.TOO_MANY_PARTS,
            problem_types.UNSUPPORTED_MEDIA_TYPE, problem_types.BAD_DATASET, problem_types.BAD_REQUEST,
            problem_types.OVERLOADED, problem_types.DEADLINE, problem_types.STOPPING, problem_types.STORAGE,
            problem_types.STORAGE_EXCEEDED,
        ),
    },
    openapi_extra={"requestBody": _BODY},
)  # fmt: skip
async def create_dataset(
    request: Request,
    settings: SettingsDep,
    datasets: DatasetsDep,
    folder: FolderDep,
    imports: ImportsDep,
    receiving: ReceivingDep,
    owner: OwnerDep,
) -> Response:
    """Create a dataset from an archive or from pictures, and check it.

    Send a form with `kind`, `name`, one or several `file`s, and options; `corruption` is JSON. Or send
    JSON with the `path` of files on the server. If the files cannot be read, nothing is stored.
    """
    kept = await DATABASE.run(datasets.bytes_of, owner)
    with receiving.upload(owner, kept) as received:
        received.check(_announced(request))
        async with _workspace(folder) as workspace:
            fields, sources = await _receive(request, settings, workspace, received)
            options, limits = _options(fields), settings.dataset_limits()
            share = received if received.room < limits["total_bytes"] else None
            limits |= {"total_bytes": received.room} if share else {}
            reading = read_sources(
                imports, owner, settings.import_timeout, workspace, sources, options, limits
            )
            try:
                found = await run_while_connected(request, reading)
            except (DataError, ConfigError) as error:
                raise _refusal(error, sources[0].parent, share) from error
            row = await uninterrupted(
                DATABASE.run(add_dataset, datasets, folder, workspace, options, found, owner)
            )
    body = _describe(row).model_dump(mode="json")
    return JSONResponse(body, 201, {"Location": f"/datasets/{row.id}"})


@router.get("", responses=responses(problem_types.BAD_REQUEST))
async def list_datasets(
    datasets: DatasetsDep,
    page_size: PageSize = 50,
    page_token: PageToken = None,
) -> schemas.DatasetList:
    """List the datasets, newest first."""
    found, token = await DATABASE.run(datasets.page, page_size, page_token)
    return schemas.DatasetList(datasets=[_describe(row) for row in found], next_page_token=token)


@router.get("/{dataset}", responses=_FOUND)
async def get_dataset(datasets: DatasetsDep, dataset: Id) -> schemas.Dataset:
    """Get a dataset, with its statistics and the results of its checks."""
    return _describe(await DATABASE.run(datasets.get, dataset))


@router.delete("/{dataset}", status_code=204, responses=_FOUND | responses(problem_types.CONFLICT))
async def delete_dataset(datasets: DatasetsDep, folder: FolderDep, dataset: Id) -> None:
    """Delete a dataset and its pictures, unless an unfinished job uses it."""
    await UPLOADS.run(dataset_import.delete_dataset, datasets, folder, dataset)


@router.get("/{dataset}/report", responses=_PART_FOUND)
async def get_dataset_report(datasets: DatasetsDep, dataset: Id) -> schemas.DatasetReport:
    """Get the results of the checks before training: a verdict, a figure and advice for each."""
    row = await DATABASE.run(datasets.get, dataset)
    if not row.report:
        raise _missing(dataset, "report")
    return schemas.DatasetReport.model_validate(row.report)


@router.get(
    "/{dataset}/report.png",
    response_class=Response,
    responses={**picture("A PNG", PNG), **_PART_FOUND},
)
async def get_dataset_report_picture(
    datasets: DatasetsDep, folder: FolderDep, dataset: Id, accept: Accept = "*/*"
) -> Response:
    """Get crops of some scenes: the shots, and their difference if there are two."""
    path = folder.dataset((await DATABASE.run(datasets.get, dataset)).id) / REPORT
    if not path.exists():
        raise _missing(dataset, "report")
    return FileResponse(path, media_type=sent_as(PNG, accept))


@router.get(
    "/{dataset}/thumbnails/{scene}.png",
    response_class=Response,
    responses={
        **picture("A PNG", PNG),
        **responses(
            problem_types.UNKNOWN_DATASET, problem_types.NOT_FOUND, problem_types.BAD_REQUEST,
            problem_types.OVERLOADED, problem_types.UNAVAILABLE,
        ),
    },
)  # fmt: skip
async def get_dataset_thumbnail(
    request: Request,
    datasets: DatasetsDep,
    folder: FolderDep,
    thumbnails: ThumbnailsDep,
    dataset: Id,
    scene: Annotated[int, Path(ge=0, description="number of the scene, from 0", examples=[0])],
    shot: Annotated[int, Query(ge=0, description="number of its shot, from 0")] = 0,
    accept: Accept = "*/*",
) -> Response:
    """Get a small picture of one shot."""
    path = folder.dataset((await DATABASE.run(datasets.get, dataset)).id)
    try:
        content = await thumbnails.run(request, partial(thumbnails.process.run, thumbnail, path, scene, shot))
    except IndexError as error:
        raise ProblemError(problem_types.NOT_FOUND, f"dataset {dataset}: {error}") from error
    return Response(content, media_type=sent_as(PNG, accept))


@asynccontextmanager
async def _workspace(folder: DataFolder) -> AsyncIterator[FilePath]:
    """Make a temporary folder for an upload. To remove a large one takes a thread for a while."""
    opened = ExitStack()
    try:
        yield await uninterrupted(UPLOADS.run(opened.enter_context, upload_folder(folder)))
    finally:
        await uninterrupted(UPLOADS.run(opened.close))


def _announced(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


def _refusal(error: DataError | ConfigError, folder: FilePath, share: ReceivedBytes | None) -> ProblemError:
    """Return the problem of an import. ``share`` is what limited its bytes, if not ``Settings``."""
    detail = str(error).replace(f"{folder}/", "")
    if isinstance(error, LimitError) and error.limit == "total_bytes" and share:
        return ProblemError(problem_types.STORAGE_EXCEEDED, f"{detail}: {share.describe()}")
    if isinstance(error, LimitError):
        type, setting = DATASET_LIMITS[error.limit]
        return ProblemError(type, f"{detail} ({setting})")
    faults = [FieldError(pointer=f"body/{error.field}", detail=detail)] if error.field else []
    return ProblemError(problem_types.BAD_DATASET, detail, faults)


async def _receive(
    request: Request, settings: Settings, workspace: FilePath, received: ReceivedBytes
) -> tuple[Json, Sequence[FilePath]]:
    """Return the fields of the request, and its files."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "application/json":
        fields = await _json(request)
        return fields, [_server_side(settings.dataset_root, str(fields.pop("path")))]
    folder = workspace / "files"
    folder.mkdir()
    upload = Upload(content_type, folder, settings)
    try:
        async for piece in request.stream():
            received.add(len(piece))
            await UPLOADS.run(upload.feed, piece)
        upload.finish()
    finally:
        upload.close()
    if not upload.files:
        raise _wrong("file", "missing, expected an archive or pictures", None)
    return _parsed(upload.fields), list(upload.files.values())


async def _json(request: Request) -> Json:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > schemas.MAX_JSON:
            raise ProblemError(
                problem_types.BODY_TOO_LARGE, f"the JSON has more than {schemas.MAX_JSON} bytes"
            )
    try:
        return schemas.DatasetFolder.model_validate_json(body).model_dump()
    except ValidationError as error:
        raise _invalid(error) from error


def _parsed(fields: dict[str, str]) -> Json:
    """Return the fields of a form, with the JSON in ``corruption`` parsed."""
    if "corruption" not in fields:
        return dict(fields)
    try:
        return {**fields, "corruption": json.loads(fields["corruption"])}
    except (ValueError, RecursionError) as error:
        raise _wrong("corruption", f"not JSON ({error})", fields["corruption"]) from error


def _options(fields: Json) -> ImportRequest:
    try:
        return ImportRequest(**schemas.DatasetRequest.model_validate(fields).model_dump())
    except ValidationError as error:
        raise _invalid(error) from error


def _server_side(root: FilePath | None, path: str) -> FilePath:
    """Resolve a path inside the folder ``N2N_DATASET_ROOT``, following links."""
    if root is None:
        raise ProblemError(
            problem_types.NO_DATASET_ROOT, "paths are not taken here: N2N_DATASET_ROOT is not set"
        )
    try:
        found = (root / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        found = None
    if found is None or not found.is_relative_to(root.resolve()):
        raise _wrong("path", "there is nothing of this path under N2N_DATASET_ROOT", path)
    return found


def _wrong(field: str, message: str, value: object) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", field), "msg": message, "input": value}])


def _invalid(error: ValidationError) -> RequestValidationError:
    return RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()])


def _missing(dataset: str, what: str) -> ProblemError:
    return ProblemError(problem_types.NOT_FOUND, f"dataset {dataset} has no such {what}")


def _describe(row: DatasetRecord) -> schemas.Dataset:
    return schemas.Dataset.model_validate(
        {
            **vars(row), "report": row.report or None, "options": row.manifest,
            "counts": row.counts or None, "statistics": row.counts or None,
            "created_at": datetime.fromtimestamp(row.created_at, UTC),
            "updated_at": datetime.fromtimestamp(row.updated_at, UTC),
        }
    )  # fmt: skip
