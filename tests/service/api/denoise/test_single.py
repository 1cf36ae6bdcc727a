"""``POST /denoise``."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from fastapi import FastAPI
from PIL import Image

from n2n_core import image
from n2n_core.image import Pixels
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.tiling import WINDOW
from n2n_core.models import weights
from service.inference.device_process import RemoteDenoiser
from service.inference.lines import Cores
from service.settings.server import Settings
from tests.pictures import drawn, file, opened
from tests.service import problems
from tests.service.conftest import MAX_BYTES
from tests.service.serving import quick_app

pytestmark = pytest.mark.anyio

MODELS = sorted(weights.read_index())
PNG = file(drawn("RGB"))


def expected(content: bytes, model: str, format: str | None = None, window: int = WINDOW) -> bytes:
    """What the library makes of the file."""
    picture = image.decode(content)
    denoiser = Denoiser(weights.load(weights.find(model).path)[0], "cpu", window)
    output = denoiser(torch.from_numpy(picture.colour[None]))[0].numpy()
    return image.encode(picture.with_colour(output), format)


async def post(client: httpx.AsyncClient, content: bytes = PNG, **params: str) -> httpx.Response:
    return await client.post("/denoise", files={"file": ("img.png", content)}, params=params)


async def test_the_setting_chooses_the_pngs_compression(client: httpx.AsyncClient) -> None:
    app = quick_app(Settings(device="cpu", png_compression="small"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://n2n") as other,
    ):
        fast, small = (await post(client)).content, (await post(other)).content
    assert len(small) < len(fast)
    assert np.array_equal(np.asarray(opened(small)), np.asarray(opened(fast)))


@pytest.mark.parametrize("model", MODELS)
async def test_a_form_is_answered_with_the_librarys_own_result(client: httpx.AsyncClient, model: str) -> None:
    response = await post(client, model=model)
    assert response.status_code == 200
    assert response.headers["content-type"] == "image/png"
    assert response.content == expected(PNG, model)
    assert opened(response.content).size == (40, 28)


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", "image/jpeg"])
async def test_a_raw_body_is_answered_alike(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/denoise", content=PNG, headers={"content-type": content_type})
    assert response.content == expected(PNG, "torch")


@pytest.mark.parametrize("format", image.MEDIA_TYPES)
async def test_the_answer_has_the_inputs_format(client: httpx.AsyncClient, format: str) -> None:
    response = await post(client, file(drawn("RGB"), format))
    assert response.headers["content-type"] == image.MEDIA_TYPES[format]
    assert opened(response.content).format == format.upper()


@pytest.mark.parametrize(
    ("accept", "format", "answer"),
    [
        ("*/*", None, "image/png"),
        ("image/*", None, "image/png"),
        ("image/webp", None, "image/webp"),
        ("image/webp;q=0.5, image/tiff", None, "image/tiff"),
        ("text/html, image/*;q=0.8", None, "image/png"),
        ("application/octet-stream", None, "application/octet-stream"),
        ("image/webp", "bmp", "image/bmp"),
        ("text/html", "jpeg", "image/jpeg"),
    ],
)
async def test_accept_and_format_choose_the_answer(
    client: httpx.AsyncClient, accept: str, format: str | None, answer: str
) -> None:
    params = {"format": format} if format else {}
    files = {"file": ("img.png", PNG)}
    response = await client.post("/denoise", files=files, params=params, headers={"accept": accept})
    assert response.headers["content-type"] == answer
    kind = {"image/png": "PNG", "application/octet-stream": "PNG"}.get(answer, answer[6:].upper())
    assert opened(response.content).format == kind


async def test_all_accept_lines_count(client: httpx.AsyncClient) -> None:
    headers = [("accept", "text/html"), ("accept", "image/webp")]
    response = await client.post("/denoise", files={"file": ("img.png", PNG)}, headers=headers)
    assert response.headers["content-type"] == "image/webp"


async def test_headers_tell_model_hash_and_timing(client: httpx.AsyncClient) -> None:
    response = await post(client, model="scratch")
    assert response.headers["n2n-model"] == "scratch"
    assert response.headers["n2n-weights-sha256"] == weights.sha256(weights.find("scratch").path)
    number = r"\d+\.\d"
    stages = ", ".join(f"{stage};dur={number}" for stage in ("decode", "queue", "inference", "encode"))
    assert re.fullmatch(stages, response.headers["server-timing"])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("size", [(1, 1), (1, 90), (3, 5), (31, 33), (200, 131), (300, 257)])
async def test_any_size_comes_back_in_that_size(
    app: FastAPI, client: httpx.AsyncClient, model: str, size: tuple[int, int]
) -> None:
    content = file(drawn("RGB", *size))
    response = await post(client, content, model=model)
    assert opened(response.content).size == size
    (denoiser,) = app.state.n2n.loaded_models.models[model].denoisers
    window = denoiser.throughput.window  # others differ in the last bit
    assert response.content == expected(content, model, window=window)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
async def test_grey_alpha_and_depth_are_kept(client: httpx.AsyncClient, mode: str) -> None:
    original = drawn(mode)
    result = opened((await post(client, file(original))).content)
    assert result.mode == mode
    assert result.size == original.size
    if mode.endswith("A"):
        assert np.array_equal(np.asarray(result)[..., -1], np.asarray(original)[..., -1])


@pytest.mark.parametrize(("mode", "exact"), [("L", False), ("RGB", False), ("I;16", True)])
async def test_more_than_8_bits_are_computed_exactly(
    client: httpx.AsyncClient, mode: str, exact: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, asked = RemoteDenoiser.run, list[bool]()

    async def watched(own: RemoteDenoiser, batch: Pixels, line: int, cores: Cores, exact: bool) -> Pixels:
        asked.append(exact)
        return await run(own, batch, line, cores, exact)

    monkeypatch.setattr(RemoteDenoiser, "run", watched)
    assert (await post(client, file(drawn(mode)))).status_code == 200
    assert asked == [exact]


async def test_requests_at_once_get_their_own_answers(client: httpx.AsyncClient) -> None:
    contents = [file(drawn("RGB", 20 + seed, 30, seed)) for seed in range(12)]
    models = [MODELS[seed % len(MODELS)] for seed in range(12)]
    jobs = [post(client, content, model=model) for content, model in zip(contents, models, strict=True)]
    for response, content, model in zip(await asyncio.gather(*jobs), contents, models, strict=True):
        assert response.content == expected(content, model)


async def test_an_unknown_model_is_told_the_known_ones(client: httpx.AsyncClient) -> None:
    problem = problems.check(await post(client, model="best"), 404, "unknown_model", "'best'")
    assert all(name in problem.detail for name in MODELS)


BAD_FILES: list[tuple[bytes, int, str, str]] = [
    (b"", 422, "bad_image", "empty (0 bytes)"),
    (b"hello", 422, "bad_image", "expected one of: png, jpeg, webp, tiff, bmp"),
    (PNG[: len(PNG) // 2], 422, "bad_image", "damaged"),
    (file(Image.new("L", (2000, 2000))), 413, "image_too_large", "2000 x 2000"),
    (bytes(MAX_BYTES + 1), 413, "body_too_large", "N2N_MAX_BYTES"),
    (file(drawn("RGB").convert("CMYK"), "tiff"), 422, "bad_image", "'CMYK'"),
]


@pytest.mark.parametrize("form", [True, False])
@pytest.mark.parametrize(("content", "status", "code", "part"), BAD_FILES)
async def test_files_that_cannot_be_served_are_refused(
    client: httpx.AsyncClient, form: bool, content: bytes, status: int, code: str, part: str
) -> None:
    sent: dict[str, Any] = (
        {"files": {"file": ("img", content)}}
        if form
        else {"content": content, "headers": {"content-type": "image/png"}}
    )
    problems.check(await client.post("/denoise", **sent), status, code, part)


async def test_a_stream_is_cut_off_at_the_limit(client: httpx.AsyncClient) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 100_000
            yield bytes(100_000)

    response = await client.post("/denoise", content=body(), headers={"content-type": "image/png"})
    problems.check(response, 413, "body_too_large", f"at most {MAX_BYTES}")
    assert sent <= MAX_BYTES + 200_000


async def test_a_form_without_the_file_is_refused(client: httpx.AsyncClient) -> None:
    wrong_name = await client.post("/denoise", files={"image": ("img.png", PNG)})
    text = await client.post("/denoise", files={"file": (None, "text")})
    for response in (wrong_name, text):
        problem = problems.check(response, 422, "bad_request", "no field 'file'")
        assert [error.pointer for error in problem.errors] == ["body/file"]


async def test_several_files_are_refused(client: httpx.AsyncClient) -> None:
    files = [("file", ("a.png", PNG)), ("file", ("b.png", PNG))]
    problems.check(await client.post("/denoise", files=files), 400, "bad_request")


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_broken_forms_are_refused(client: httpx.AsyncClient, content_type: str) -> None:
    headers = {"content-type": content_type}
    response = await client.post("/denoise", content=b"--y\r\nnonsense", headers=headers)
    problems.check(response, 400, "bad_request")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
async def test_other_content_types_are_refused(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/denoise", content=PNG, headers={"content-type": content_type})
    problems.check(response, 415, "unsupported_media_type", repr(content_type), "multipart/form-data")


async def test_an_unknown_format_is_refused(client: httpx.AsyncClient) -> None:
    problem = problems.check(await post(client, format="gif"), 422, "bad_request", "'gif'")
    assert problem.errors[0].pointer == "query/format"


async def test_what_cannot_be_answered_as_wanted_is_refused(client: httpx.AsyncClient) -> None:
    files = {"file": ("img.png", PNG)}
    response = await client.post("/denoise", files=files, headers={"accept": "text/html"})
    problems.check(response, 406, "not_acceptable", "'text/html'", "image/png")
    response = await post(client, file(drawn("RGBA")), format="jpeg")
    problems.check(response, 422, "bad_image", "jpeg cannot store the image's transparency")


async def test_a_misspelt_parameter_is_refused_by_name(client: httpx.AsyncClient) -> None:
    problem = problems.check(
        await post(client, modle="scratch"), 422, "bad_request", "'modle'", "model, format"
    )
    assert problem.errors[0].pointer == "query/modle"


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "JPEG"), ("tif", "TIFF")])
async def test_a_format_may_be_named_by_its_suffix(client: httpx.AsyncClient, suffix: str, kind: str) -> None:
    response = await post(client, format=suffix)
    assert opened(response.content).format == kind
    assert response.headers["content-type"] == f"image/{kind.lower()}"
