"""Body of every error response: RFC 9457 problem details."""

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
                "detail": "unknown model 'best'; known models: photo, scratch, torch, unet",
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
