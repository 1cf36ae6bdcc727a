"""``POST /denoise``: an image in, a denoised image out."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.denoise.request import (
    FORMATS,
    PARAMETERS,
    DenoiseRequest,
    Format,
    ModelQuery,
    Report,
    SelfEnsembleQuery,
    StrengthQuery,
    admit,
    check_names,
    check_uncertainty,
    read_files,
    time_limit,
)
from service.api.denoise.response import respond
from service.api.denoise.schemas import DenoiseReport
from service.api.dependencies import State, StateDep
from service.api.disconnect import run_while_connected
from service.api.openapi import ALWAYS, FILE, IMAGES, form, responses
from service.exceptions import DeadlineError
from service.http.errors import answer as problem_answer
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
    SEVERAL_PAGES,
    STOPPING,
    TOO_LATE,
    TOO_MANY_FRAMES,
    TOO_MANY_PARTS,
    TOTAL_TIMEOUT,
    UNAVAILABLE,
    UNKNOWN_MODEL,
    UNSUPPORTED_MEDIA_TYPE,
)
from service.inference.pipeline import TINY_BYTES, Pipeline
from service.storage.model_catalogue import ModelCatalogue

PATH = "/denoise"

_FORM = form(
    "ImageUpload",
    {
        "file": {**FILE, "description": "the noisy image"},
        "reference": {
            **FILE,
            "description": "the clean image, of the same size; both have a single page. Needs `report`,"
            " which gets PSNR and SSIM",
        },
    },
    required=["file"],
)
_BODY: dict[str, Any] = {"required": True, "content": {**_FORM, **IMAGES}}
_HEADERS = {
    "N2N-Model": "the model that was used",
    "N2N-Weights-SHA256": "SHA-256 of its weights file",
    "N2N-Noise-Level": "noise level of the image, in grey levels of 0 to 255; only with a report",
    "Server-Timing": "milliseconds of decode, queue, inference and encode, and of measure if there was any",
}
_FORM_ANSWER = form(
    "DenoisedImage",
    {
        "image": {**FILE, "description": "the denoised image"},
        "report": {"$ref": "#/components/schemas/DenoiseReport"},
        "uncertainty": {
            **FILE,
            "description": "8-bit grey PNG, for the first page: standard deviation of the self-ensemble's"
            " results, mean over channels, before `strength` is applied; 0 is none, 255 is 8 grey levels or"
            " more",
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
    PATH,
    response_class=Response,
    responses={
        200: _OK,
        **responses(
            BAD_FORM, UNKNOWN_MODEL, NOT_ACCEPTABLE, READ_TIMEOUT, TOTAL_TIMEOUT,
            BODY_TOO_LARGE, TOO_MANY_PARTS, NAME_TOO_LONG, IMAGE_TOO_LARGE, TOO_MANY_FRAMES,
            UNSUPPORTED_MEDIA_TYPE, BAD_IMAGE, SEVERAL_PAGES, BAD_REQUEST, OVERLOADED, TOO_LATE,
            UNAVAILABLE, DEADLINE, STOPPING,
        ),
    },
    openapi_extra={"requestBody": _BODY},
)  # fmt: skip
async def denoise(
    request: Request,
    state: StateDep,
    model: ModelQuery = None,
    format: Annotated[
        Format | None, Query(description="format of the answer; overrides the Accept header")
    ] = None,
    timeout: Annotated[
        float | None, Query(gt=0, description="seconds after which the answer is of no use; then 503")
    ] = None,
    strength: StrengthQuery = 1.0,
    self_ensemble: SelfEnsembleQuery = False,
    report: Annotated[
        Report | None,
        Query(
            title="Report Form",  # generators of clients would take "Report" for the report's own class
            description="describe what was done: `json` answers with the report alone, `multipart` with the"
            " parts `image` and `report` (multipart/form-data). Overrides the Accept header",
        ),
    ] = None,
    uncertainty: Annotated[
        bool,
        Query(description="with self_ensemble=true and report=multipart: adds a map of the spread as a part"),
    ] = False,
) -> Response:
    """Denoise an image.

    Send it as the multipart field `file`, or as the raw body with an image content type. The answer has the
    same size, and the same format unless `format` or `Accept` says otherwise. With `report`, the answer has a
    report beside it, or is one: model and hash, noise before and after, tiles and times.

    `model=auto` uses the first of `photo`, `unet`, `torch` and `scratch` that is served; the picture is not
    measured for it.
    """
    check_names(request, PARAMETERS)
    check_uncertainty(uncertainty, self_ensemble, report)
    served = await admit(request, state.pipeline, state.loaded_models, model)
    data, reference = await read_files(request, report, state.settings.max_parts)
    wanted = DenoiseRequest(
        served=served, data=data, reference=reference, timeout=time_limit(timeout, state.settings.timeout),
        strength=strength, self_ensemble=self_ensemble, format=format,
        accept=_accept(request), report=report, uncertainty=uncertainty,
    )  # fmt: skip
    return await run_while_connected(request, answer(wanted, state.pipeline, state.catalogue))


async def answer(wanted: DenoiseRequest, pipeline: Pipeline, catalogue: ModelCatalogue) -> Response:
    """Denoise the file, and return the answer.

    Raises:
        DeadlineError: the request's time is over. Whatever still works for it is ended.
    """
    try:
        async with asyncio.timeout(wanted.timeout):
            return await respond(await pipeline.run(wanted), pipeline, catalogue)
    except TimeoutError as error:
        raise DeadlineError from error


class SmallPictures:
    """Answers ``POST /denoise`` with a small raw picture, ahead of the router.

    The router and FastAPI's reading of parameters take longer than denoising a small picture.
    All other requests, and all wrong ones, go on to the endpoint, which gives the same answers.
    """

    path = PATH  # as a route has it: for the log and the metrics

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app, self.state = app, state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or hand it on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        if not is_small(request):
            await self.app(scope, receive, send)
            return
        scope["route"] = self
        try:
            response = await self._answer(request)
        except Exception as error:
            response = await problem_answer(request, error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        state, query = self.state, request.query_params
        served = await admit(request, state.pipeline, state.loaded_models, query.get("model"))
        wanted = DenoiseRequest(
            served=served, data=await request.body(), timeout=state.settings.timeout,
            format=query.get("format"), accept=_accept(request),
        )  # fmt: skip
        return await answer(wanted, state.pipeline, state.catalogue)


def is_small(request: Request) -> bool:
    """Whether the body is a small raw picture, and there are no parameters but model and format."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or not 0 < int(length) <= TINY_BYTES:
        return False
    if not request.headers.get("content-type", "").startswith("image/"):
        return False
    query = request.query_params
    return query.keys() <= {"model", "format"} and query.get("format", "png") in FORMATS


def _accept(request: Request) -> str:
    return ", ".join(request.headers.getlist("accept"))
