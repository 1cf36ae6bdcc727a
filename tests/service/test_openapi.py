"""The OpenAPI document: what client generators read."""

import json
import re
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI

from n2n_core.image import MEDIA_TYPES
from tests.pictures import drawn, file

OPERATIONS = {
    "denoise": ("/denoise", "post"),
    "denoise_batch": ("/denoise/batch", "post"),
    "list_models": ("/models", "get"),
    "get_model": ("/models/{model}", "get"),
    "delete_model": ("/models/{model}", "delete"),
    "list_model_versions": ("/models/{model}/versions", "get"),
    "upload_model": ("/models/{model}/versions", "post"),
    "download_model": ("/models/{model}/download", "get"),
    "promote_model": ("/models/{model}/promote", "post"),
    "roll_back_model": ("/models/{model}/rollback", "post"),
    "create_dataset": ("/datasets", "post"),
    "list_datasets": ("/datasets", "get"),
    "get_dataset": ("/datasets/{dataset}", "get"),
    "delete_dataset": ("/datasets/{dataset}", "delete"),
    "get_dataset_report": ("/datasets/{dataset}/report", "get"),
    "get_dataset_report_picture": ("/datasets/{dataset}/report.png", "get"),
    "get_dataset_thumbnail": ("/datasets/{dataset}/thumbnails/{scene}.png", "get"),
    "create_train_job": ("/train-jobs", "post"),
    "list_train_jobs": ("/train-jobs", "get"),
    "get_train_job": ("/train-jobs/{job}", "get"),
    "delete_train_job": ("/train-jobs/{job}", "delete"),
    "cancel_train_job": ("/train-jobs/{job}/cancel", "post"),
    "resume_train_job": ("/train-jobs/{job}/resume", "post"),
    "get_train_job_metrics": ("/train-jobs/{job}/metrics", "get"),
    "get_train_job_events": ("/train-jobs/{job}/events", "get"),
    "list_train_job_samples": ("/train-jobs/{job}/samples", "get"),
    "get_train_job_sample": ("/train-jobs/{job}/samples/{name}", "get"),
    "get_train_job_plot": ("/train-jobs/{job}/plots/{name}.{format}", "get"),
    "get_train_job_log": ("/train-jobs/{job}/log", "get"),
    "get_health": ("/healthz", "get"),
    "get_readiness": ("/readyz", "get"),
    "get_metrics": ("/metrics", "get"),
}


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def validate(document: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    jsonschema.validate(value, {**schema, "components": document["components"]})


def test_operation_ids_are_stable_and_complete(document: dict[str, Any]) -> None:
    found = {
        operation["operationId"]: (path, method)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert found == OPERATIONS


def test_every_operation_is_explained(document: dict[str, Any]) -> None:
    for path, method in OPERATIONS.values():
        operation = document["paths"][path][method]
        assert operation["tags"]
        assert operation.get("description")
        assert all(parameter.get("description") for parameter in operation.get("parameters", []))


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for path, method in OPERATIONS.values():
        for status, response in document["paths"][path][method]["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_uploads_and_answers_are_binary(document: dict[str, Any]) -> None:
    operation = document["paths"]["/denoise"]["post"]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["file"]["format"] == "binary"
    assert form["required"] == ["file"]
    assert set(MEDIA_TYPES.values()) < set(operation["requestBody"]["content"])
    answers = operation["responses"]["200"]["content"]
    assert next(iter(answers)) == "application/octet-stream"  # the first is what generators take
    reports = {"multipart/form-data", "application/json"}
    assert set(answers) == {"application/octet-stream", *MEDIA_TYPES.values(), *reports}
    assert answers["application/json"]["schema"] == {"$ref": "#/components/schemas/DenoiseReport"}
    assert {"N2N-Model", "N2N-Weights-SHA256", "N2N-Noise-Level", "Server-Timing"} == set(
        operation["responses"]["200"]["headers"]
    )


@pytest.mark.anyio
async def test_a_report_fits_its_schema(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["DenoiseReport"]
    own = file(drawn())
    for params in ({}, {"self_ensemble": "true"}):
        files = {"file": own, "reference": own}
        answer = await client.post("/denoise", files=files, params={"report": "json", **params})
        validate(document, schema, answer.json())


def test_references_resolve(document: dict[str, Any]) -> None:
    found = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert "#/components/schemas/Problem" in found
    assert found <= known


def test_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert "example" in schemas["Problem"]
    for schema in schemas.values():
        if "example" in schema:
            validate(document, schema, schema["example"])


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "schema"), [
    ("/models", "ModelList"), ("/models/torch", "Model"), ("/healthz", "Health"),
    ("/readyz", "Readiness"), ("/nowhere", "Problem"),
])  # fmt: skip
async def test_answers_fit_their_schemas(
    client: httpx.AsyncClient, document: dict[str, Any], path: str, schema: str
) -> None:
    validate(document, document["components"]["schemas"][schema], (await client.get(path)).json())


@pytest.mark.anyio
async def test_only_declared_statuses_are_answered(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    declared = set(document["paths"]["/denoise"]["post"]["responses"])
    image = {"file": ("img.png", file(drawn()))}
    bodies: list[dict[str, Any]] = [
        {"files": image}, {"files": {"file": ("x", b"")}}, {"files": image, "params": {"model": "x"}},
        {"files": image, "params": {"format": "x"}}, {"files": image, "headers": {"accept": "text/html"}},
        {"content": b"x"}, {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
        {"content": bytes(3_000_000), "headers": {"content-type": "image/png"}},
    ]  # fmt: skip
    statuses = {str((await client.post("/denoise", **body)).status_code) for body in bodies}
    assert statuses <= declared
    assert len(statuses) >= 6


@pytest.mark.anyio
async def test_the_served_document_is_the_apps(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    assert (await client.get("/openapi.json")).json() == document
