"""Lines of the log."""

import json
import logging
import logging.config
import sys
from typing import Any

import httpx
import pytest

from service import logs
from tests.pictures import drawn, file

PNG = file(drawn("RGB"))


def record(message: str = "ready: %d models", *arguments: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("n2n.service", logging.INFO, "app.py", 1, message, arguments, None)
    vars(made).update(fields)
    return made


def failed() -> logging.LogRecord:
    made = record("failed")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        made.exc_info = sys.exc_info()
    return made


def access(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The fields of the only line of the access log."""
    lines = [line for line in caplog.records if line.name == "n2n.access"]
    assert len(lines) == 1
    read: dict[str, Any] = json.loads(logs.Json().format(lines[0]))
    return read


def test_text_ends_with_the_fields() -> None:
    line = logs.Text().format(record("ready: %d models", 2, status=200, path="/x"))
    assert line.endswith(" INFO ready: 2 models status=200 path=/x")


def test_json_is_an_object_with_the_fields() -> None:
    line = json.loads(logs.Json().format(record("ready: %d models", 2, status=200, color_message="x")))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "info", "logger": "n2n.service", "message": "ready: 2 models", "status": 200}


def test_an_exception_is_one_line_of_json_and_many_of_text() -> None:
    line = logs.Json().format(failed())
    assert "\n" not in line
    assert "ValueError: two\nlines" in json.loads(line)["exception"]
    assert logs.Text().format(failed()).count("\n") > 2


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_configuration_is_one_that_python_takes(format: str) -> None:
    configurator = logging.config.DictConfigurator(logs.configuration(format))
    made = configurator.configure_formatter(configurator.config["formatters"]["ours"])
    assert isinstance(made, {"text": logs.Text, "json": logs.Json}[format])


@pytest.mark.anyio
async def test_a_request_is_one_line(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    headers = {"content-type": "image/png", "x-request-id": "mine-1"}
    response = await client.post("/denoise?model=scratch", content=PNG, headers=headers)
    line = access(caplog)
    assert line.pop("ms") > 0
    assert {name: line[name] for name in list(line)[4:]} == {
        "request_id": "mine-1", "method": "POST", "path": "/denoise", "status": 200,
        "bytes_in": len(PNG), "bytes_out": len(response.content), "model": "scratch", "client": "127.0.0.1",
    }  # fmt: skip


@pytest.mark.anyio
async def test_a_path_cannot_break_the_line(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await client.get("/a%0Astatus=200%20b")
    assert access(caplog)["path"] == "/a%0Astatus%3D200%20b"


@pytest.mark.anyio
async def test_a_failure_is_logged_under_the_requests_id(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("service.api.models._describe", None)
    response = await client.get("/models", headers={"x-request-id": "mine-2"})
    assert response.status_code == access(caplog)["status"] == 500
    errors = [json.loads(logs.Json().format(line)) for line in caplog.records if line.exc_info]
    assert [error["request_id"] for error in errors if error["logger"] == "n2n.service"] == ["mine-2"]
