"""An image in, a denoised image out."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, TypeVar, get_args

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from n2n_core.image import MEDIA_TYPES, SUFFIXES
from service.errors import ProblemError, responses
from service.negotiation import BINARY, Answer, negotiate
from service.registry import ServedModel
from service.routes.state import State, StateDep
from service.schemas import FieldError
from service.worker import Timing

T = TypeVar("T")
Format = Literal["png", "jpeg", "jpg", "webp", "tiff", "tif", "bmp"]
FORMATS = get_args(Format)
PARAMETERS = ("model", "format", "timeout")

FILE = {"type": "string", "format": "binary"}
_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "title": "ImageUpload",
                "required": ["file"],
                "properties": {"file": {**FILE, "description": "the noisy image"}},
            }
        },
        **{media_type: {"schema": FILE} for media_type in (BINARY, *MEDIA_TYPES.values())},
    },
}
_HEADERS = {
    "N2N-Model": "the model that was used",
    "N2N-Weights-SHA256": "the hash of its weights",
    "Server-Timing": "milliseconds of decode, queue, inference and encode",
}
_OK = {
    "description": "The denoised image, of the same size",
    "content": {media_type: {"schema": FILE} for media_type in (BINARY, *MEDIA_TYPES.values())},
    "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
}

router = APIRouter(tags=["denoise"], responses=responses(500))


@router.post(
    "/denoise",
    response_class=Response,
    responses={200: _OK, **responses(400, 404, 406, 413, 415, 422, 503)},
    openapi_extra={"requestBody": _BODY},
)
async def denoise(
    request: Request,
    state: StateDep,
    model: Annotated[
        str | None, Query(description="model id, see /models", examples=["scratch", "torch"])
    ] = None,
    format: Annotated[
        Format | None, Query(description="format of the answer; goes before the Accept header")
    ] = None,
    timeout: Annotated[
        float | None, Query(gt=0, description="seconds after which the answer is of no use; then 503")
    ] = None,
) -> Response:
    """Denoise an image.

    Send it as the multipart field `file`, or as the raw body with an image content type.
    The answer has the input's size, and its format unless `format` or `Accept` says otherwise.
    """
    check_names(request)
    served = await admit(request, state, model)
    accept = ", ".join(request.headers.getlist("accept"))
    data = await _read(request)
    return await while_wanted(request, respond(state, served, data, format, accept, timeout))


async def admit(request: Request, state: State, model: str | None) -> ServedModel:
    """The model that the request names, if there is room for a picture: before anything is read."""
    state.worker.scheduler.check_room()
    served = await state.registry.find(model)
    request.state.model = served.entry.id  # for the log
    return served


async def respond(
    state: State, served: ServedModel, data: bytes, format: str | None, accept: str, timeout: float | None
) -> Response:
    """The answer to an image's bytes."""
    encoded, media_type, timing = await denoised(state, served, data, format, accept, timeout)
    headers = {
        "N2N-Model": served.entry.id,
        "N2N-Weights-SHA256": served.entry.sha256,
        "Server-Timing": timing.header(),
    }
    return Response(encoded, media_type=media_type, headers=headers)


async def denoised(
    state: State, served: ServedModel, data: bytes, format: str | None, accept: str, timeout: float | None
) -> tuple[bytes, str, Timing]:
    """The denoised image as a file, with its media type, and what it took."""
    timing = Timing()
    picture = await state.worker.decode(data, timing)
    answer = _chosen(format) if format else negotiate(accept, picture.format)
    if answer is None:
        known = ", ".join(MEDIA_TYPES.values())
        raise ProblemError(406, "not_acceptable", f"Accept is {accept!r}, expected one of: {known}")
    seconds = min(timeout or state.settings.timeout, state.settings.timeout)
    cleaned = await state.worker.denoise(served, picture, timing, seconds)
    encoded = await state.worker.encode(cleaned, answer.format, timing, state.settings.png_compression)
    return encoded, answer.media_type, timing


def check_names(request: Request) -> None:
    """Refuse a parameter that does not exist: misspelt, it would be ignored."""
    unknown = [name for name in request.query_params if name not in PARAMETERS]
    if unknown:
        detail = f"unknown parameter, expected one of: {', '.join(PARAMETERS)}"
        faults = [FieldError(pointer=f"query/{name}", detail=detail) for name in unknown]
        raise ProblemError(422, "bad_request", f"{unknown[0]!r} is an {detail}", faults)


def _chosen(format: str) -> Answer:
    name = SUFFIXES[f".{format}"]
    return Answer(name, MEDIA_TYPES[name])


async def while_wanted(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; the work is cancelled when the client hangs up."""
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        watch.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read(request: Request) -> bytes:
    """The image's bytes, from the multipart field ``file`` or from the raw body."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        async with request.form(max_files=1) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                fault = FieldError(pointer="body/file", detail="missing, expected an image file")
                raise ProblemError(422, "bad_request", "the form has no field 'file' with an image", [fault])
            return await file.read()
    if content_type.startswith("image/") or content_type == BINARY:
        return await request.body()
    expected = "expected multipart/form-data with a field 'file', or an image type such as image/png"
    raise ProblemError(415, "unsupported_media_type", f"Content-Type is {content_type!r}, {expected}")
