"""The OpenAPI document: what client generators read."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fastapi import FastAPI
from openapi_spec_validator import validate as validate_document

from n2n_core import cli
from n2n_core.image import MEDIA_TYPES
from service.cli.main import COMMANDS, written
from service.http import problem_types
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


COMMITTED = Path(__file__).parents[3] / "docs" / "openapi.json"
SUCCESS = re.compile(r"2\d\d")


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


@pytest.fixture(scope="module", params=OPERATIONS)
def operation(request: pytest.FixtureRequest, document: dict[str, Any]) -> dict[str, Any]:
    path, method = OPERATIONS[request.param]
    found: dict[str, Any] = document["paths"][path][method]
    return found


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for; anything else as it is."""
    for name in value.get("$ref", "").split("/")[1:]:
        document = document[name]
    return document if "$ref" in value else value


def validate(document: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    jsonschema.validate(value, {**schema, "components": document["components"]})


def test_it_is_the_one_that_was_agreed(document: dict[str, Any]) -> None:
    changed = "the API has changed: is it meant to, and told in CHANGELOG.md? Then: make openapi"
    assert COMMITTED.read_text(encoding="utf-8") == written(document), changed


def test_it_is_valid(document: dict[str, Any]) -> None:
    validate_document(document)


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--output", str(tmp_path / "openapi.json")]):
        assert cli.main(["openapi", *arguments], more=COMMANDS) == 0
    assert capsys.readouterr().out == (tmp_path / "openapi.json").read_text() == COMMITTED.read_text()


def test_operation_ids_are_stable_and_complete(document: dict[str, Any]) -> None:
    found = {
        operation["operationId"]: (path, method)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert found == OPERATIONS


def test_every_operation_is_explained(document: dict[str, Any], operation: dict[str, Any]) -> None:
    assert operation["tags"]
    assert operation["description"]
    for parameter in operation["parameters"]:
        assert resolved(document, parameter)["description"]


def test_every_error_is_a_problem_with_an_example(
    document: dict[str, Any], operation: dict[str, Any]
) -> None:
    errors = {status: body for status, body in operation["responses"].items() if int(status) >= 400}
    assert "500" in errors
    for status, response in errors.items():
        content = response["content"]["application/problem+json"]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        for code, reference in content["examples"].items():
            example = resolved(document, reference)["value"]
            validate(document, content["schema"], example)
            assert (example["status"], example["code"]) == (int(status), code)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_shows_what_it_takes_and_gives(
    document: dict[str, Any], operation: dict[str, Any]
) -> None:
    """Files have no example: of them the parameters have."""
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    bodies += [body for status, body in operation["responses"].items() if SUCCESS.fullmatch(status)]
    for body in bodies:
        for media_type, content in body.get("content", {}).items():
            if media_type == "application/json":
                schema = resolved(document, content["schema"])
                validate(document, schema, schema["example"])
            elif media_type.startswith("text/"):
                assert content["example"]
    for parameter in operation["parameters"]:
        found = resolved(document, parameter)
        if found.get("required"):
            schema = found["schema"]
            assert schema.get("examples") or schema.get("enum"), found["name"]
            for example in schema.get("examples", ()):
                validate(document, schema, example)


def test_links_lead_to_operations(document: dict[str, Any]) -> None:
    count = 0
    for path, method in OPERATIONS.values():
        for response in document["paths"][path][method]["responses"].values():
            for link in response.get("links", {}).values():
                target_path, target_method = OPERATIONS[link["operationId"]]
                target = document["paths"][target_path][target_method]
                known = {resolved(document, parameter)["name"] for parameter in target["parameters"]}
                assert set(link.get("parameters", {})) <= known
                count += 1
    assert count > 20


def test_every_problem_type_is_in_the_docs() -> None:
    text = (COMMITTED.parent / "service.md").read_text()
    table = {
        (int(status), code)
        for status, codes in re.findall(r"^\| (\d{3}) \| (`[^|]+) \|", text, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", codes)
    }
    of_no_operation = {(405, "method_not_allowed"), (421, "misdirected_request")}
    assert table == {(row.status, row.code) for row in problem_types.DOCUMENTED} | of_no_operation


def test_uploads_and_answers_are_binary(document: dict[str, Any]) -> None:
    operation = document["paths"]["/denoise"]["post"]
    form = resolved(document, operation["requestBody"]["content"]["multipart/form-data"]["schema"])
    assert form["properties"]["file"]["format"] == "binary"
    assert form["required"] == ["file"]
    assert set(MEDIA_TYPES.values()) < set(operation["requestBody"]["content"])
    answers = operation["responses"]["200"]["content"]
    assert next(iter(answers)) == "application/octet-stream"  # the first is what generators take
    reports = {"multipart/form-data", "application/json"}
    assert set(answers) == {"application/octet-stream", *MEDIA_TYPES.values(), *reports}
    assert answers["application/json"]["schema"] == {"$ref": "#/components/schemas/DenoiseReport"}
    own = {"N2N-Model", "N2N-Weights-SHA256", "N2N-Noise-Level", "Server-Timing", "X-Request-ID"}
    assert set(operation["responses"]["200"]["headers"]) == own


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
    parts = {kind: names for kind, names in document["components"].items() if kind != "securitySchemes"}
    known = {f"#/components/{kind}/{name}" for kind, names in parts.items() for name in names}
    assert "#/components/schemas/Problem" in found
    assert found == known


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
