"""A request to denoise a picture: its parameters, its files, and what is checked of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from fastapi import Query, Request
from starlette.datastructures import FormData, UploadFile

from n2n_core.image import MEDIA_TYPES, SUFFIXES, Picture, check_pages
from n2n_core.inference.model_choice import choose
from n2n_core.models.names import AUTO
from service.http.errors import ProblemError
from service.http.multipart import read_form
from service.http.negotiation import BINARY, Answer, negotiate
from service.http.problem import FieldError
from service.http.problem_types import BAD_FORM, BAD_REQUEST, NOT_ACCEPTABLE, UNSUPPORTED_MEDIA_TYPE
from service.inference.file_request import FileRequest
from service.inference.loaded_models import LoadedModels, ServedModel
from service.inference.pipeline import Pipeline, single_page

Format = Literal["png", "jpeg", "jpg", "webp", "tiff", "tif", "bmp"]
FORMATS = get_args(Format)
Report = Literal["json", "multipart"]
PICTURE_PARAMETERS = ("model", "format", "timeout", "strength", "self_ensemble")
"""Query parameters that a batch has, too."""

PARAMETERS = (*PICTURE_PARAMETERS, "report", "uncertainty")

ModelQuery = Annotated[
    str | None,
    Query(
        description=f"model id, see /models; `{AUTO}` is the best of the shipped models that are served",
        examples=["scratch", "torch", AUTO],
    ),
]
StrengthQuery = Annotated[
    float, Query(ge=0, le=1, description="0 gives the noisy picture, 1 the network's result, 0.5 half-way")
]
SelfEnsembleQuery = Annotated[
    bool,
    Query(
        description="average over the picture's eight flips and rotations: closer to the clean picture, at"
        " eight times the cost; the picture may have an eighth of the pixels"
    ),
]


@dataclass(frozen=True, kw_only=True)
class DenoiseRequest(FileRequest):
    """An image file to denoise, and the answer that the client wants.

    Args:
        format: of the answer, by name or suffix; None for what ``accept`` allows.
        accept: the ``Accept`` header.
        report: whether the answer is a report, or has one.
        uncertainty: whether the answer has a map of the self-ensemble's spread.
    """

    format: str | None = None
    accept: str = "*/*"
    report: Report | None = None
    uncertainty: bool = False

    def answer_format(self, own: str) -> Answer:
        """Return the answer's format for a picture of format ``own``.

        Raises:
            ProblemError: the client accepts none.
        """
        if self.format:
            name = SUFFIXES[f".{self.format}"]
            return Answer(name, MEDIA_TYPES[name])
        answer = negotiate("*/*" if self.report else self.accept, own)
        if answer is None:
            known = ", ".join(MEDIA_TYPES.values())
            raise ProblemError(NOT_ACCEPTABLE, f"Accept is {self.accept!r}, expected one of: {known}")
        return answer

    def check(self, pages: Sequence[Picture], reference: Picture | None) -> None:
        """Check that the answer can hold the pages, and that the reference fits."""
        check_pages(self.answer_format(pages[0].format).format, len(pages))
        if reference is not None and reference.colour.shape != single_page(pages).colour.shape:
            detail = f"the reference is {_size(reference)}, expected {_size(pages[0])}, as the image"
            raise bad_field("body/reference", detail)


async def admit(request: Request, pipeline: Pipeline, loaded: LoadedModels, model: str | None) -> ServedModel:
    """Return the model that the request names, before its body is read.

    Raises:
        RefusedError: there is no room for any picture.
        UnknownModelError: there is no such model.
    """
    pipeline.scheduler.check_room()
    served = await loaded.find(choose(loaded.models) if model == AUTO else model)
    request.state.model = served.entry.id  # for the log
    return served


def check_names(request: Request, known: Sequence[str]) -> None:
    """Reject unknown parameters, so that a typo is not silently ignored."""
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        detail = f"unknown parameter, expected one of: {', '.join(known)}"
        faults = [FieldError(pointer=f"query/{name}", detail=detail) for name in unknown]
        raise ProblemError(BAD_REQUEST, f"{unknown[0]!r} is an {detail}", faults)


def check_uncertainty(uncertainty: bool, self_ensemble: bool, report: Report | None) -> None:
    """Check that a map of the spread can be made, and has a place in the answer."""
    if uncertainty and not (self_ensemble and report == "multipart"):
        detail = "uncertainty is true, expected self_ensemble=true and report=multipart with it"
        raise bad_field("query/uncertainty", detail)


async def read_files(request: Request, report: Report | None, max_parts: int) -> tuple[bytes, bytes | None]:
    """Read the image, from the form's field ``file`` or the raw body, and the form's ``reference`` if any."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        async with read_form(request, max_parts) as form:
            file, reference = _file(form, "file"), _file(form, "reference")
            if file is None:
                fault = FieldError(pointer="body/file", detail="missing, expected an image file")
                raise ProblemError(BAD_REQUEST, "the form has no field 'file' with an image", [fault])
            if reference is not None and report is None:
                detail = "the form has a field 'reference', expected report=json or report=multipart with it"
                raise bad_field("body/reference", detail)
            return await file.read(), None if reference is None else await reference.read()
    if content_type.startswith("image/") or content_type == BINARY:
        return await request.body(), None
    expected = "expected multipart/form-data with a field 'file', or an image type such as image/png"
    raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"Content-Type is {content_type!r}, {expected}")


def time_limit(asked: float | None, most: float) -> float:
    """Return the seconds that a request may take: what it asks for, at most the setting."""
    return most if asked is None else min(asked, most)


def bad_field(pointer: str, detail: str) -> ProblemError:
    """Return the problem with one field."""
    return ProblemError(BAD_REQUEST, detail, [FieldError(pointer=pointer, detail=detail)])


def _file(form: FormData, name: str) -> UploadFile | None:
    """Return the file in a field, if there is one."""
    files = [value for value in form.getlist(name) if isinstance(value, UploadFile)]
    if len(files) > 1:
        raise ProblemError(BAD_FORM, f"the form has {len(files)} files {name!r}, expected one")
    return files[0] if files else None


def _size(picture: Picture) -> str:
    channels, height, width = picture.colour.shape
    return f"{width} x {height} {'grey' if channels == 1 else 'colour'}"
