"""Small raw pictures get exactly the answers that the FastAPI endpoint gives."""

import httpx
import pytest
from PIL import Image
from starlette.requests import Request

from service.api.denoise import single
from tests.pictures import drawn, file

pytestmark = pytest.mark.anyio
PNG = file(drawn("RGB"))
IMAGE = {"Content-Type": "image/png"}
CASES: dict[str, tuple[bytes, dict[str, str], str]] = {
    "plain": (PNG, IMAGE, "?model=scratch"),
    "the default model": (PNG, IMAGE, ""),
    "a format": (PNG, IMAGE, "?model=scratch&format=webp"),
    "a format's suffix": (PNG, IMAGE, "?format=jpg"),
    "another type": (file(drawn("LA"), "tiff"), {"Content-Type": "image/tiff"}, "?model=scratch"),
    "accept": (PNG, {**IMAGE, "Accept": "image/bmp"}, "?model=scratch"),
    "nothing acceptable": (PNG, {**IMAGE, "Accept": "text/html"}, "?model=scratch"),
    "auto": (PNG, IMAGE, "?model=auto"),
    "an unknown model": (PNG, IMAGE, "?model=best"),
    "a model of no name": (PNG, IMAGE, "?model="),
    "an unknown format": (PNG, IMAGE, "?format=gif"),
    "a misspelt parameter": (PNG, IMAGE, "?modle=scratch"),
    "no image": (b"hello", IMAGE, "?model=scratch"),
    "a damaged image": (PNG[:200], IMAGE, "?model=scratch"),
    "an empty body": (b"", IMAGE, "?model=scratch"),
    "too many pixels": (file(drawn("1", 1200, 1000), "png"), IMAGE, "?model=scratch"),
    "a large picture in a small file": (file(Image.new("RGB", (200, 100))), IMAGE, "?model=scratch"),
}  # fmt: skip
EACH = pytest.mark.parametrize(("content", "headers", "query"), CASES.values(), ids=CASES)
OWN = {"x-request-id", "server-timing", "date"}


async def post(
    client: httpx.AsyncClient, content: bytes, headers: dict[str, str], query: str
) -> httpx.Response:
    return await client.post(f"/denoise{query}", content=content, headers=headers)


@EACH
async def test_answers_are_those_of_the_endpoint(
    content: bytes, headers: dict[str, str], query: str,
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fast = await post(client, content, headers, query)
    monkeypatch.setattr(single, "is_small", lambda request: False)
    slow = await post(client, content, headers, query)
    assert fast.status_code == slow.status_code
    assert {k: v for k, v in fast.headers.items() if k not in OWN} == {
        k: v for k, v in slow.headers.items() if k not in OWN
    }
    if fast.headers["content-type"].startswith("application/problem"):
        assert {**fast.json(), "request_id": ""} == {**slow.json(), "request_id": ""}
    else:
        assert fast.content == slow.content


async def test_only_small_raw_pictures_take_the_short_way(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    is_small = single.is_small

    def spied(request: Request) -> bool:
        small = is_small(request)
        taken.extend([request.url.query] if small else [])
        return small

    monkeypatch.setattr(single, "is_small", spied)
    await client.post("/denoise", files={"file": PNG})
    for query in (
        "model=scratch",
        "timeout=9",
        "model=auto",
        "strength=1",
        "self_ensemble=false",
        "report=json",
    ):
        assert (await post(client, PNG, IMAGE, f"?{query}")).status_code == 200
    assert taken == ["model=scratch", "model=auto"]
    metrics = (await client.get("/metrics")).text
    assert 'n2n_requests_total{method="POST",route="/denoise",status="200"}' in metrics
