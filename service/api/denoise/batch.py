"""``POST /denoise/batch``: several images in, one answer for each, with its own status."""

import asyncio
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile

from service.api.denoise.request import (
    PICTURE_PARAMETERS,
    DenoiseRequest,
    Format,
    ModelQuery,
    SelfEnsembleQuery,
    StrengthQuery,
    admit,
    check_names,
    time_limit,
)
from service.api.denoise.single import answer
from service.api.dependencies import State, StateDep
from service.api.disconnect import run_while_connected
from service.api.openapi import ALWAYS, FILE, form, picture, responses
from service.http.errors import ProblemError, title
from service.http.errors import answer as problem_answer
from service.http.filenames import plain_name
from service.http.multipart import Part, read_form, write
from service.http.negotiation import BINARY, prefers
from service.http.problem import FieldError
from service.http.problem_types import (
    BAD_FORM,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    NAME_TOO_LONG,
    OVERLOADED,
    READ_TIMEOUT,
    STOPPING,
    TOO_MANY_PARTS,
    TOTAL_TIMEOUT,
    UNAVAILABLE,
    UNKNOWN_MODEL,
    UNSUPPORTED_MEDIA_TYPE,
)
from service.settings.server import Settings

AT_ONCE = 4
"""Images of one request that are in work at once. The others are not decoded yet, so they take no room."""
ZIP, MULTIPART = "application/zip", "multipart/mixed"
RESULTS = "results.json"

_FILES = {"type": "array", "items": FILE, "minItems": 1, "description": "the noisy images"}
_BODY = {"required": True, "content": form("ImageUploads", {"file": _FILES}, required=["file"])}
_OK = picture(
    f"The images, and {RESULTS} with a status for each; as parts if multipart/mixed is accepted",
    ZIP,
    MULTIPART,
)

router = APIRouter(tags=["denoise"], responses=ALWAYS)


@dataclass(frozen=True)
class Result:
    """The answer for one image: the denoised image, or a problem."""

    name: str
    status: int
    media_type: str
    body: bytes
    model: str | None = None


@router.post(
    "/denoise/batch",
    response_class=Response,
    responses={
        **_OK,
        **responses(
            BAD_FORM,
            UNKNOWN_MODEL,
            READ_TIMEOUT,
            TOTAL_TIMEOUT,
            BODY_TOO_LARGE,
            TOO_MANY_PARTS,
            NAME_TOO_LONG,
            UNSUPPORTED_MEDIA_TYPE,
            BAD_REQUEST,
            OVERLOADED,
            UNAVAILABLE,
            STOPPING,
        ),
    },
    openapi_extra={"requestBody": _BODY},
)
async def denoise_batch(
    request: Request,
    state: StateDep,
    model: ModelQuery = None,
    format: Annotated[Format | None, Query(description="format of the answers; else each image's")] = None,
    timeout: Annotated[float | None, Query(gt=0, description="seconds for each image")] = None,
    strength: StrengthQuery = 1.0,
    self_ensemble: SelfEnsembleQuery = False,
) -> Response:
    """Denoise several images.

    Send each as a multipart field `file`. An image that cannot be denoised does not affect the others: it
    gets a problem in its place. `results.json` has the status of each.
    """
    check_names(request, PICTURE_PARAMETERS)
    served = await admit(request, state.pipeline, state.loaded_models, model)
    files = await _read(request, state.settings)
    seconds = time_limit(timeout, state.settings.timeout)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, data: bytes) -> Result:
        async with gate:
            wanted = DenoiseRequest(
                served=served, data=data, timeout=seconds, strength=strength,
                self_ensemble=self_ensemble, format=format,
            )  # fmt: skip
            return await _one(request, state, name, wanted)

    async def every() -> list[Result]:
        return await asyncio.gather(*(one(name, data) for name, data in files))

    results = await run_while_connected(request, every())
    kind = prefers(request.headers.get("accept", ""), (ZIP, MULTIPART, BINARY)) or ZIP
    return _parts(results) if kind == MULTIPART else Response(_archive(results), media_type=kind)


async def _read(request: Request, settings: Settings) -> list[tuple[str, bytes]]:
    """Read each file's bytes, by a safe name that no other file has."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "multipart/form-data":
        expected = "expected multipart/form-data with fields 'file'"
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"Content-Type is {content_type!r}, {expected}")
    files: dict[str, bytes] = {}
    async with read_form(request, settings.max_parts) as form:
        for file in form.getlist("file"):
            if isinstance(file, UploadFile):
                plain = plain_name(file.filename or "", settings.max_name_length) or "image"
                name = plain if plain not in files and plain != RESULTS else f"{len(files)}-{plain}"
                files[name] = await file.read()
    if not files:
        fault = FieldError(pointer="body/file", detail="missing, expected image files")
        raise ProblemError(BAD_REQUEST, "the form has no field 'file' with an image", [fault])
    return list(files.items())


async def _one(request: Request, state: State, name: str, wanted: DenoiseRequest) -> Result:
    """Denoise one image; an error becomes its result."""
    try:
        response = await answer(wanted, state.pipeline, state.catalogue)
    except Exception as error:
        problem = await problem_answer(request, error)
        return Result(name, problem.status_code, problem.media_type or "", bytes(problem.body))
    if wanted.format:
        name = str(PurePath(name).with_suffix(f".{wanted.format}"))
    return Result(name, 200, response.media_type or "", bytes(response.body), wanted.served.entry.id)


def _archive(results: Sequence[Result]) -> bytes:
    """Write the denoised images and the list of results as ZIP; images would not compress any further."""
    buffer = BytesIO()
    told = [_describe(result) for result in results]
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(RESULTS, json.dumps(told, indent=2))
        for result in results:
            if result.status == 200:
                archive.writestr(result.name, result.body)
    return buffer.getvalue()


def _describe(result: Result) -> dict[str, Any]:
    problem = None if result.status == 200 else json.loads(result.body)
    return {"name": result.name, "status": result.status, "model": result.model, "problem": problem}


def _parts(results: Sequence[Result]) -> Response:
    """Write each result as a part, with its status and model in headers."""
    body, media_type = write(map(_part, results), MULTIPART)
    return Response(body, headers={"Content-Type": media_type})


def _part(result: Result) -> Part:
    name = result.name.replace('"', "_").replace("\\", "_")
    headers = {"Status": f"{result.status} {title(result.status)}"}
    if result.model:
        headers["N2N-Model"] = result.model
    return Part(f'attachment; filename="{name}"', result.media_type, result.body, headers)
