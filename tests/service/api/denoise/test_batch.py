"""``POST /denoise/batch``."""

import email.parser
import email.policy
import json
import zipfile
from io import BytesIO
from typing import Any

import httpx
import pytest

from service.api.denoise import batch
from service.http.problem import Problem
from service.settings.server import Settings
from tests.pictures import drawn, file, opened
from tests.service import problems
from tests.service.serving import quick_app

pytestmark = pytest.mark.anyio
PNG, JPEG = file(drawn("RGB")), file(drawn("L", 50, 41), "jpeg")


async def post(
    client: httpx.AsyncClient, *files: tuple[str, bytes], accept: str = "*/*", **params: str
) -> httpx.Response:
    uploads = [("file", upload) for upload in files]
    return await client.post("/denoise/batch", files=uploads, params=params, headers={"Accept": accept})


def unpacked(response: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(BytesIO(response.content)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(contents.pop("results.json")), contents


async def test_each_image_is_what_it_is_alone(client: httpx.AsyncClient) -> None:
    results, contents = unpacked(await post(client, ("a.png", PNG), ("b.jpg", JPEG), model="scratch"))
    assert [(result["name"], result["status"]) for result in results] == [("a.png", 200), ("b.jpg", 200)]
    for name, sent in (("a.png", PNG), ("b.jpg", JPEG)):
        alone = await client.post("/denoise?model=scratch", files={"file": sent})
        assert contents[name] == alone.content


async def test_one_that_fails_has_its_problem_and_spoils_no_other(client: httpx.AsyncClient) -> None:
    results, contents = unpacked(await post(client, ("a.png", PNG), ("b.png", PNG[:60]), ("c.png", b"")))
    assert [result["status"] for result in results] == [200, 422, 422]
    assert list(contents) == ["a.png"]
    assert results[0]["problem"] is None
    assert "0 bytes" in Problem.model_validate(results[2]["problem"]).detail


async def test_names_are_made_plain_and_unique(client: httpx.AsyncClient) -> None:
    names = ["x.png", "x.png", "../../etc/x.png", "C:\\y.png", "results.json"]
    _, contents = unpacked(await post(client, *((name, PNG) for name in names)))
    assert list(contents) == ["x.png", "1-x.png", "2-x.png", "y.png", "4-results.json"]


async def test_the_format_is_chosen_for_all(client: httpx.AsyncClient) -> None:
    _, contents = unpacked(await post(client, ("a.png", PNG), ("b.jpg", JPEG), format="webp"))
    assert {name: opened(content).format for name, content in contents.items()} == {
        "a.webp": "WEBP", "b.webp": "WEBP",
    }  # fmt: skip


async def test_parts_carry_their_status(client: httpx.AsyncClient) -> None:
    response = await post(client, ("a.png", PNG), ("b.png", b"no image"), accept="multipart/mixed")
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + response.content)
    good, bad = message.iter_parts()
    contents: list[Any] = [part.get_payload(decode=True) for part in (good, bad)]
    assert (good["Status"], good.get_filename(), good.get_content_type()) == ("200 OK", "a.png", "image/png")
    assert opened(contents[0]).size == (40, 28)
    assert bad["Status"] == "422 Unprocessable Content"
    assert Problem.model_validate_json(contents[1]).code == "bad_image"


async def test_what_is_wrong_with_the_whole_is_a_problem(client: httpx.AsyncClient) -> None:
    problems.check(await post(client, ("a.png", PNG), model="best"), 404, "unknown_model")
    problems.check(await client.post("/denoise/batch", content=PNG), 415, "unsupported_media_type")
    problems.check(await client.post("/denoise/batch", files={"image": PNG}), 422, "bad_request", "'file'")
    problems.check(await post(client, ("a.png", PNG), modle="x"), 422, "bad_request", "'modle'")


async def test_more_images_than_may_wait_at_once_are_all_denoised() -> None:
    app = quick_app(Settings(device="cpu", max_waiting_pixels=batch.AT_ONCE * 40 * 28))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://n2n", timeout=60) as client,
    ):
        results, contents = unpacked(await post(client, *((f"{i}.png", PNG) for i in range(40))))
    assert {result["status"] for result in results} == {200}
    assert len(contents) == 40
