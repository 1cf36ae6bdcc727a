"""An image in, a denoised image out."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Annotated, Any, Literal, TypeVar, get_args

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from n2n_core.models.names import AUTO
from service.api.denoise.report import report_alone, report_with_pictures
from service.api.denoise.request import Order, denoised, find, headers, written
from service.api.denoise.schemas import DenoiseReport
from service.api.dependencies import State, StateDep
from service.api.openapi import ALWAYS, FILE, IMAGES, form, responses
from service.exceptions import DeadlineError
from service.http.body_limit import time_left
from service.http.errors import ProblemError
from service.http.multipart import read_form
from service.http.negotiation import BINARY
from service.http.problem import FieldError
from service.http.problem_types import (
    BAD_FORM,
    BAD_IMAGE,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    DEADLINE,
    IMAGE_TOO_LARGE,
    NAME_TOO_LONG,
    NOT_ACCEPTABLE,
    OVERLOADED,
    READ_TIMEOUT,
    STOPPING,
    TOO_LATE,
    TOO_MANY_FRAMES,
    TOO_MANY_PARTS,
    TOTAL_TIMEOUT,
    UNKNOWN_MODEL,
    UNSUPPORTED_MEDIA_TYPE,
)
from service.inference.loaded_models import ServedModel
from service.inference.pipeline import Timing

T = TypeVar("T")
Format = Literal["png", "jpeg", "jpg", "webp", "tiff", "tif", "bmp"]
FORMATS = get_args(Format)
EVERYWHERE = ("model", "format", "timeout", "strength", "self_ensemble")
PARAMETERS = (*EVERYWHERE, "report", "uncertainty")

Model = Annotated[
    str | None,
    Query(
        description=f"model id, see /models; `{AUTO}` chooses one by the picture's noise",
        examples=["scratch", "torch", AUTO],
    ),
]
Strength = Annotated[
    float, Query(ge=0, le=1, description="0 gives the picture as it is, 1 the network's result, 0.5 half-way")
]
SelfEnsemble = Annotated[
    bool,
    Query(
        description="the mean over the picture's eight flips and turns: nearer to the clean picture, at eight"
        " times the price; an eighth of the pixels is allowed"
    ),
]

_FORM = form(
    "ImageUpload",
    {
        "file": {**FILE, "description": "the noisy image"},
        "reference": {
            **FILE,
            "description": "the clean image, of the same size: with `report`: PSNR and SSIM go there",
        },
    },
    required=["file"],
)
_BODY: dict[str, Any] = {"required": True, "content": {**_FORM, **IMAGES}}
_HEADERS = {
    "N2N-Model": "the model that was used",
    "N2N-Weights-SHA256": "the hash of its weights",
    "N2N-Noise-Level": "of the image, in grey levels of 0 to 255; with model=auto, or with a report",
    "Server-Timing": "milliseconds of decode, queue, inference and encode; of measure, if anything was",
}
_FORM_ANSWER = form(
    "DenoisedImage",
    {
        "image": {**FILE, "description": "the denoised image"},
        "report": {"$ref": "#/components/schemas/DenoiseReport"},
        "uncertainty": {
            **FILE,
            "description": "8-bit grey PNG: the standard deviation of the self-ensemble's results, mean over"
            " channels, of the network and not of `strength`; 0 is none, 255 is 8 grey levels or more",
        },
    },
    required=["image", "report"],
)
_OK: dict[str, Any] = {
    "model": DenoiseReport,
    "description": "The denoised image, of the same size; with `report=json` the report alone, with"
    " `report=multipart` both",
    "content": {**IMAGES, **_FORM_ANSWER, "application/json": {}},
    "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
}

router = APIRouter(tags=["denoise"], responses=ALWAYS)


@router.post(
    "/denoise",
    response_class=Response,
    responses={
        200: _OK,
        **responses(
            BAD_FORM, UNKNOWN_MODEL, NOT_ACCEPTABLE, READ_TIMEOUT, TOTAL_TIMEOUT,
            BODY_TOO_LARGE, TOO_MANY_PARTS, NAME_TOO_LONG, IMAGE_TOO_LARGE, TOO_MANY_FRAMES,
            UNSUPPORTED_MEDIA_TYPE, BAD_IMAGE, BAD_REQUEST, OVERLOADED, TOO_LATE, DEADLINE, STOPPING,
        ),
    },
    openapi_extra={"requestBody": _BODY},
)  # fmt: skip
async def denoise(
    request: Request,
    state: StateDep,
    model: Model = None,
    format: Annotated[
        Format | None, Query(description="format of the answer; goes before the Accept header")
    ] = None,
    timeout: Annotated[
        float | None, Query(gt=0, description="seconds after which the answer is of no use; then 503")
    ] = None,
    strength: Strength = 1.0,
    self_ensemble: SelfEnsemble = False,
    report: Annotated[
        Literal["json", "multipart"] | None,
        Query(
            title="Report Form",  # generators of clients would take "Report" for the report's own class
            description="tell where the answer comes from: `json` answers with the report alone, `multipart`"
            " with the parts `image` and `report` (multipart/form-data). It goes before the Accept header",
        ),
    ] = None,
    uncertainty: Annotated[
        bool,
        Query(description="with self_ensemble=true and report=multipart: a part with a map of the spread"),
    ] = False,
) -> Response:
    """Denoise an image.

    Send it as the multipart field `file`, or as the raw body with an image content type.
    The answer has the input's size, and its format unless `format` or `Accept` says otherwise.
    On request it has a report beside it, or is one: model and hash, noise before and after, tiles, times.
    """
    check_names(request, PARAMETERS)
    if uncertainty and not (self_ensemble and report == "multipart"):
        detail = "uncertainty is true, expected self_ensemble=true and report=multipart with it"
        raise ProblemError(BAD_REQUEST, detail, [FieldError(pointer="query/uncertainty", detail=detail)])
    served = await admit(request, state, model)
    accept = "*/*" if report else ", ".join(request.headers.getlist("accept"))
    data, reference = await _read(request, state.settings.max_parts)
    order = Order(data, format, accept, timeout, strength, self_ensemble)
    if report == "json":
        work = report_alone(state, served, order, reference)
    elif report == "multipart":
        work = report_with_pictures(state, served, order, reference, uncertainty)
    elif reference is not None:
        detail = "the form has a field 'reference', expected report=json or report=multipart with it"
        raise ProblemError(BAD_REQUEST, detail, [FieldError(pointer="body/reference", detail=detail)])
    else:
        work = respond(state, served, order)
    response = await while_wanted(request, work)
    request.state.model = response.headers["N2N-Model"]  # which is known only now, if it was chosen
    return response


async def admit(request: Request, state: State, model: str | None) -> ServedModel | None:
    """The model that the request names, if there is room for a picture: before anything is read.

    None for ``auto``, which each picture chooses by itself.
    """
    state.worker.scheduler.check_room()
    served = await find(state, model)
    request.state.model = served.entry.id if served else AUTO  # for the log
    return served


async def respond(state: State, served: ServedModel | None, order: Order) -> Response:
    """The denoised picture."""
    outcome = await denoised(state, served, order, Timing())
    content = await written(state, outcome)
    return Response(content, media_type=outcome.answer.media_type, headers=headers(outcome))


def check_names(request: Request, known: Sequence[str]) -> None:
    """Refuse a parameter that does not exist: misspelt, it would be ignored."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        detail = f"unknown parameter, expected one of: {', '.join(known)}"
        faults = [FieldError(pointer=f"query/{name}", detail=detail) for name in unknown]
        raise ProblemError(BAD_REQUEST, f"{unknown[0]!r} is an {detail}", faults)


async def while_wanted(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; the work is cancelled when the client hangs up, or the request's time is over."""
    task, watch = asyncio.ensure_future(work), asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait((task, watch), timeout=time_left(request), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if not watch.done():
            raise DeadlineError
        raise watch.exception() or ClientDisconnect()
    finally:
        task.cancel()
        watch.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read(request: Request, most: int) -> tuple[bytes, bytes | None]:
    """The image's bytes, from the multipart field ``file`` or from the raw body, and the reference's."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        async with read_form(request, most) as form:
            file, reference = _one(form, "file"), _one(form, "reference")
            if file is None:
                fault = FieldError(pointer="body/file", detail="missing, expected an image file")
                raise ProblemError(BAD_REQUEST, "the form has no field 'file' with an image", [fault])
            return await file.read(), None if reference is None else await reference.read()
    if content_type.startswith("image/") or content_type == BINARY:
        return await request.body(), None
    expected = "expected multipart/form-data with a field 'file', or an image type such as image/png"
    raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"Content-Type is {content_type!r}, {expected}")


def _one(form: FormData, name: str) -> UploadFile | None:
    """The file in a field, if there is one."""
    files = [value for value in form.getlist(name) if isinstance(value, UploadFile)]
    if len(files) > 1:
        raise ProblemError(BAD_FORM, f"the form has {len(files)} files {name!r}, expected one")
    return files[0] if files else None
