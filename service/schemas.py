"""What the service's JSON answers look like."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FieldError(BaseModel):
    """One part of a request that is wrong."""

    pointer: str = Field(description="where: query, header or body, then the name", examples=["query/format"])
    detail: str = Field(description="what is wrong with it")


class Problem(BaseModel):
    """An error, as RFC 9457 problem details (``application/problem+json``)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "unknown model 'best'; known models: scratch, torch",
                "instance": "/denoise",
                "code": "unknown_model",
                "request_id": "5f0c3b1e2d6a4f0c9d1b7a3e8c2f4d6b",
                "errors": [],
            }
        }
    )

    type: str = Field(default="about:blank", description="about:blank: `title` is the status's own")
    title: str = Field(description="the HTTP status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what is wrong, with the bad value and what was expected")
    instance: str = Field(description="the path of the request")
    code: str = Field(description="the kind of problem, stable, for programs")
    request_id: str = Field(description="also in the X-Request-ID header and the server's log")
    errors: list[FieldError] = Field(
        default=[], description="the single faults, if several fields can be wrong"
    )


class Model(BaseModel):
    """A version of a model, and where it comes from."""

    id: str = Field(
        description="what `?model=` takes: the bare name of the promoted version, `name@2` of another",
        examples=["scratch"],
    )
    name: str
    version: int
    promoted: bool = Field(description="whether the bare name stands for it")
    source: Literal["shipped", "trained", "uploaded"]
    created_at: datetime
    lineage: dict[str, Any] = Field(
        description="where it comes from: `job`, `dataset` and `base_sha256` if it was trained here,"
        " the `commit` and version of the code"
    )
    bytes: int = Field(description="size of its weights file")
    task: str = Field(description="what it is for")
    default: bool = Field(description="whether it is used when a request names none")
    parameters: int = Field(description="number of trained values", examples=[134203])
    sha256: str = Field(description="of its weights file")
    architecture: dict[str, Any] = Field(description="its configuration")
    recipe: dict[str, Any] = Field(description="how it was trained")
    data: dict[str, Any] = Field(description="what it was trained on")
    metrics: dict[str, float | None] = Field(
        description="PSNR in dB on held-out photos, before and after; null if infinite"
    )
    licence: str


class ModelList(BaseModel):
    """All models, each in its promoted version."""

    models: list[Model]


class ModelVersions(BaseModel):
    """All versions of a model, the newest first."""

    versions: list[Model]


class Health(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The models are loaded and warm."""

    status: Literal["ready"] = "ready"
    models: list[str]
    device: str
