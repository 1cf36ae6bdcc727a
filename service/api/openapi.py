"""Parts of the OpenAPI document that the web framework does not generate."""

from collections.abc import Iterable, Sequence
from typing import Any

from n2n_core.image import MEDIA_TYPES
from service.api.examples import EXAMPLES
from service.api.schemas import DatasetFolder
from service.http.errors import MEDIA_TYPE, REQUEST_ID, title
from service.http.negotiation import BINARY
from service.http.problem import Problem
from service.http.problem_types import DOCUMENTED, HEADERS_TOO_LARGE, INTERNAL_ERROR, ProblemType

Json = dict[str, Any]
Responses = dict[int | str, Json]

FILE: Json = {"type": "string", "format": "binary"}
IMAGES: Json = {media_type: {"schema": FILE} for media_type in (BINARY, *MEDIA_TYPES.values())}
"""Any picture. Plain bytes come first, as client generators use the first type, and know few others."""

_COMPONENTS = "#/components/schemas/"
_OWN_ID = {"$ref": "#/components/parameters/RequestId"}
_ID = {"$ref": "#/components/headers/RequestId"}
_RETRY = {"$ref": "#/components/headers/RetryAfter"}
_PARTS: Json = {
    "parameters": {
        "RequestId": {
            "name": REQUEST_ID,
            "in": "header",
            "description": "an id of your own for the request: 1 to 64 of `A-Z a-z 0-9 . _ -`;"
            " any other is replaced",
            "schema": {"type": "string", "title": "Request Id"},
            "example": "scan-2026-11-26.0001",
        }
    },
    "headers": {
        "RequestId": {"description": "the request's id, as in the log", "schema": {"type": "string"}},
        "RetryAfter": {
            "description": "seconds after which to try again",
            "schema": {"type": "integer", "minimum": 0},
        },
    },
}


def responses(*types: ProblemType) -> Responses:
    """Describe these problems, with an example for each."""
    return {
        status: {
            "description": title(status),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": f"{_COMPONENTS}Problem"},
                    "examples": {
                        type.code: {"$ref": f"#/components/examples/{_key(type)}"}
                        for type in types
                        if type.status == status
                    },
                }
            },
        }
        for status in sorted({type.status for type in types})
    }


def _key(type: ProblemType) -> str:
    return f"{type.status}_{type.code}"


def _example(type: ProblemType) -> Json:
    problem = Problem(
        title=title(type.status), status=type.status, detail=type.detail, instance=type.path,
        code=type.code, request_id="9d054123f5504869940a21599f7b9eef",
    )  # fmt: skip
    return {"value": problem.model_dump()}


ALWAYS = responses(HEADERS_TOO_LARGE, INTERNAL_ERROR)
"""Error responses of every operation."""


def picture(description: str, *media_types: str, **more: Any) -> Responses:
    """Describe a response that is a file, or plain bytes if ``Accept`` asks for them."""
    content = {media_type: {"schema": FILE} for media_type in (BINARY, *media_types)}
    return {200: {"description": description, "content": content, **more}}


def text(description: str, media_type: str, example: str) -> Responses:
    """Describe a response that is text."""
    content = {media_type: {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": description, "content": content}}


def links(operations: Iterable[str], **parameters: Any) -> Json:
    """Describe links to other operations, with values of the response: ``dataset="$response.body#/id"``."""
    return {name: {"operationId": name, "parameters": parameters} for name in operations}


def form(name: str, properties: Json, required: Sequence[str], **more: Any) -> Json:
    """Describe a multipart body whose schema is called ``name``."""
    fields = {field: _without_null(schema) for field, schema in properties.items()}
    schema = {"type": "object", "title": name, "required": list(required), "properties": fields, **more}
    return {"multipart/form-data": {"schema": schema}}


def completed(document: Json) -> Json:
    """Complete the framework's document with schemas, examples and common headers."""
    components = document["components"]
    schemas = components["schemas"]
    for model in (Problem, DatasetFolder):
        schema = model.model_json_schema(ref_template=f"{_COMPONENTS}{{model}}")
        schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
    for name, example in EXAMPLES.items():
        schemas[name]["example"] = example
    components |= _PARTS | {"examples": {_key(type): _example(type) for type in DOCUMENTED}}
    for item in document["paths"].values():
        for operation in item.values():
            _complete(operation, schemas)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


def _complete(operation: Json, schemas: Json) -> None:
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        parameter["schema"] = _without_null(parameter["schema"])
    parameters.append(_OWN_ID)
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in (content for body in bodies for content in body.get("content", {}).values()):
        _name(content, schemas)
    for status, response in operation["responses"].items():
        headers = response.setdefault("headers", {})
        headers[REQUEST_ID] = _ID
        if status == "503":
            headers["Retry-After"] = _RETRY
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _without_null(schema: Json) -> Json:
    """Remove null from a schema: parameters and form fields are present or absent, never null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    return {**kinds[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _name(content: Json, schemas: Json) -> None:
    """Move a form's schema to the components, so that generators use its name."""
    schema = content.get("schema", {})
    if schema.get("type") == "object" and "title" in schema:
        schemas[schema["title"]] = schema
        content["schema"] = {"$ref": _COMPONENTS + schema["title"]}
