"""``POST /denoise`` with strength, self-ensemble, a report, a reference, and ``model=auto``."""

import asyncio
import email.parser
import email.policy
import json
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from fastapi import FastAPI

from benchmarks.contrast_stretch import denoised, noisy, sky
from n2n_core import image
from n2n_core.inference.contrast_stretch import Stretch
from n2n_core.inference.denoiser import Denoiser
from n2n_core.inference.self_ensemble import self_ensemble, spread_picture
from n2n_core.metrics.psnr import psnr
from n2n_core.metrics.ssim import ssim
from n2n_core.models import weights
from n2n_core.noise.estimation import noise_level
from service.api.denoise.schemas import DenoiseReport
from service.api.dependencies import State
from tests.pictures import drawn, file, opened
from tests.service import problems
from tests.service.conftest import MAX_PIXELS
from tests.service.serving import serving

pytestmark = pytest.mark.anyio
PNG = file(drawn("RGB"))
ENSEMBLE: dict[str, Any] = {"self_ensemble": "true", "model": "scratch"}


@pytest.fixture(scope="module")
def scratch() -> Denoiser:
    return Denoiser.load(weights.find("scratch").path, "cpu")


def post(
    client: httpx.AsyncClient, content: bytes = PNG, reference: bytes | None = None, **params: str
) -> Any:
    files = {"file": content} | ({} if reference is None else {"reference": reference})
    return client.post("/denoise", files=files, params=params)


def pixels(content: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(opened(content)).astype(np.int64)


def parts(response: httpx.Response) -> dict[str, bytes]:
    """The form's contents, as a parser that is not ours reads them."""
    assert response.status_code == 200, response.text
    head = f"Content-Type: {response.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + response.content)
    assert message.get_content_type() == "multipart/form-data"
    found: dict[str, Any] = {}
    for part in message.iter_parts():
        assert part.get_content_disposition() == "form-data"
        found[part["Content-Disposition"].params["name"]] = part.get_payload(decode=True)
    return found


async def report(client: httpx.AsyncClient, content: bytes = PNG, **options: Any) -> DenoiseReport:
    response = await post(client, content, report="json", **options)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return DenoiseReport.model_validate_json(response.content, strict=True)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
async def test_strength_0_gives_the_own_pixels_back(client: httpx.AsyncClient, mode: str) -> None:
    original = drawn(mode)
    for extra in ({}, ENSEMBLE):
        result = opened((await post(client, file(original), strength="0", **extra)).content)
        assert result.mode == mode
        assert np.array_equal(np.asarray(result), np.asarray(original))


async def test_strength_is_a_straight_line(client: httpx.AsyncClient) -> None:
    half, whole = [(await post(client, strength=strength)).content for strength in ("0.5", "1")]
    assert whole == (await post(client)).content
    middle = (pixels(PNG) + pixels(whole)) / 2
    assert np.abs(pixels(half) - middle).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "I;16"])
@pytest.mark.parametrize("size", [(40, 28), (7, 150), pytest.param((300, 257), marks=pytest.mark.slow)])
async def test_the_self_ensemble_is_the_librarys(
    client: httpx.AsyncClient, scratch: Denoiser, mode: str, size: tuple[int, int]
) -> None:
    content = file(drawn(mode, *size))
    picture = image.decode(content)
    ensemble = self_ensemble(scratch, torch.from_numpy(picture.colour[None]))
    expected = image.encode(picture.with_colour(ensemble.image[0].numpy()))
    got = (await post(client, content, **ENSEMBLE)).content
    assert opened(got).mode == mode
    assert np.abs(pixels(got) - pixels(expected)).max() <= (2 if mode == "I;16" else 1)
    assert got != (await post(client, content, model="scratch")).content


async def test_uncertainty_is_the_spread_on_its_scale(client: httpx.AsyncClient, scratch: Denoiser) -> None:
    response = await post(client, **ENSEMBLE, report="multipart", uncertainty="true", strength="0.2")
    found = parts(response)
    assert list(found) == ["image", "report", "uncertainty"]
    spread = self_ensemble(scratch, torch.from_numpy(image.decode(PNG).colour[None])).spread[0].numpy()
    drawn_spread = image.encode(spread_picture(spread))
    assert opened(found["uncertainty"]).mode == "L"
    assert np.abs(pixels(found["uncertainty"]) - pixels(drawn_spread)).max() <= 1
    told = json.loads(found["report"])["self_ensemble"]
    assert told["spread_mean"] == pytest.approx(spread.mean() * 255, rel=1e-3)
    assert told["spread_p95"] == pytest.approx(np.percentile(spread, 95) * 255, rel=1e-3)


async def test_noise_finer_than_8_bits_is_stretched_for_a_blind_model(client: httpx.AsyncClient) -> None:
    _, clean = sky(96, 112)
    picture = noisy(clean, 0.3)
    content = image.encode(image.Picture(picture, bits=16), "png")
    denoiser = Denoiser.load(weights.find("photo").path, "cpu")
    stretch = Stretch.of(image.decode(content).colour)
    assert stretch is not None
    expected = stretch.undo(denoised(denoiser, stretch()))
    found = parts(await post(client, content, model="photo", report="multipart"))
    assert np.abs(image.decode(found["image"]).colour - expected).max() <= 1.5 / 65535
    assert json.loads(found["report"])["stretch"] == pytest.approx(stretch.gain)
    eight = parts(
        await post(
            client, content, model="photo", report="multipart", self_ensemble="true", uncertainty="true"
        )
    )
    assert np.abs(image.decode(eight["image"]).colour - expected).max() < 0.3 / 255
    told = json.loads(eight["report"])
    assert 0 < told["self_ensemble"]["spread_mean"] < 0.1
    shallow = image.encode(image.Picture(picture), "png")
    for model, sent in {"scratch": content, "photo": shallow}.items():
        assert (await report(client, sent, model=model)).stretch is None


async def test_the_report_tells_what_was_done(client: httpx.AsyncClient, app: FastAPI) -> None:
    content = file(drawn("RGB", 300, 257))
    found = await report(client, content, model="scratch", strength="0.5", format="webp")
    served = app.state.n2n.loaded_models.models["scratch"]
    assert (found.model, found.version, found.sha256) == ("scratch", 1, served.entry.sha256)
    assert (found.width, found.height, found.bits, found.format) == (300, 257, 8, "webp")
    assert (found.strength, found.self_ensemble, found.reference) == (0.5, None, None)
    geometry = served.denoisers[0].geometry
    assert (found.halo, found.period, found.device) == (geometry.halo, geometry.period, "cpu")
    assert found.tiles * found.window[0] * found.window[1] >= 300 * 257
    assert found.milliseconds.inference > 0 < found.milliseconds.measure
    assert found.milliseconds.encode == 0
    eight = await report(client, content, **ENSEMBLE)
    assert eight.tiles >= 8
    assert eight.self_ensemble


async def test_the_image_of_a_report_is_the_plain_answer(client: httpx.AsyncClient) -> None:
    for content in (PNG, file(drawn("LA")), file(drawn("I;16"))):
        response = await post(client, content, report="multipart")
        found = parts(response)
        assert list(found) == ["image", "report"]
        assert found["image"] == (await post(client, content)).content
        told = DenoiseReport.model_validate_json(found["report"])
        assert response.headers["n2n-noise-level"] == f"{told.noise.before:.2f}"
        assert response.headers["n2n-weights-sha256"] == told.sha256


@pytest.mark.parametrize("mode", ["L", "RGB"])
async def test_quality_is_measured_of_the_pixels_that_are_sent(client: httpx.AsyncClient, mode: str) -> None:
    rng = np.random.default_rng(0)
    clean = drawn(mode, 64, 48)
    noisy = file(drawn(mode, 64, 48, seed=int(rng.integers(1, 9))))
    found = parts(await post(client, noisy, file(clean), report="multipart"))
    told = DenoiseReport.model_validate_json(found["report"])
    assert told.reference
    reference = image.decode(file(clean)).colour * 255
    sides = {
        noisy: (told.noise.before, told.reference.psnr_before, told.reference.ssim_before),
        found["image"]: (told.noise.after, told.reference.psnr_after, told.reference.ssim_after),
    }
    for content, figures in sides.items():
        colour = image.decode(content).colour
        own = noise_level(colour) * 255, psnr(colour * 255, reference), ssim(colour * 255, reference)
        assert figures == pytest.approx(own, rel=1e-4)
    assert told.noise.after < told.noise.before


async def test_what_cannot_be_told_is_null(client: httpx.AsyncClient) -> None:
    tiny = file(drawn("RGB", 5, 90))
    found = await report(client, tiny, reference=tiny, strength="0")
    assert found.reference
    assert set(vars(found.reference).values()) == {None}


async def test_auto_is_the_best_served_model_and_measures_nothing(client: httpx.AsyncClient) -> None:
    content = file(drawn("RGB", 96, 96))
    for sent in (
        await post(client, content, model="auto"),
        await client.post("/denoise?model=auto", content=content, headers={"content-type": "image/png"}),
    ):
        assert sent.headers["n2n-model"] == "photo"
        assert "n2n-noise-level" not in sent.headers
        assert "measure" not in sent.headers["server-timing"]
        assert sent.content == (await post(client, content, model="photo")).content
    found = await report(client, content, model="auto")
    assert found.model == "photo"
    level = noise_level(image.decode(content).colour) * 255
    assert found.noise.before == pytest.approx(level, rel=1e-4)


async def test_a_plain_answer_measures_nothing(client: httpx.AsyncClient) -> None:
    response = await post(client)
    assert "n2n-noise-level" not in response.headers
    assert "measure" not in response.headers["server-timing"]


@pytest.mark.parametrize(
    ("params", "name", "parts"),
    [
        ({"strength": "1.5"}, "strength", ["'1.5'", "less than or equal to 1"]),
        ({"strength": "-0.1"}, "strength", ["'-0.1'", "greater than or equal to 0"]),
        ({"strength": "nan"}, "strength", ["'nan'"]),
        ({"strength": "much"}, "strength", ["'much'", "number"]),
        ({"self_ensemble": "perhaps"}, "self_ensemble", ["'perhaps'", "boolean"]),
        ({"report": "xml"}, "report", ["'xml'", "'json' or 'multipart'"]),
        ({"uncertainty": "true"}, "uncertainty", ["expected self_ensemble=true and report=multipart"]),
        ({"uncertainty": "true", "report": "multipart"}, "uncertainty", ["self_ensemble=true"]),
        ({"uncertainty": "true", "self_ensemble": "true", "report": "json"}, "uncertainty", ["multipart"]),
    ],
)
async def test_wrong_parameters_are_refused(
    client: httpx.AsyncClient, params: dict[str, Any], name: str, parts: list[str]
) -> None:
    problem = problems.check(await post(client, **params), 422, "bad_request", *parts)
    assert [error.pointer for error in problem.errors] == [f"query/{name}"]


async def test_a_reference_that_does_not_fit_is_refused(client: httpx.AsyncClient) -> None:
    asked = {"report": "json"}
    for other, size in (
        (drawn("RGB", 41, 28), "41 x 28 colour"), (drawn("L"), "40 x 28 grey"),
    ):  # fmt: skip
        response = await post(client, PNG, file(other), **asked)
        problem = problems.check(response, 422, "bad_request", size, "expected 40 x 28 colour")
        assert [error.pointer for error in problem.errors] == ["body/reference"]
    problems.check(
        await post(client, PNG, b"hello", **asked), 422, "bad_image", "the reference: not a readable"
    )
    problem = problems.check(await post(client, PNG, PNG), 422, "bad_request", "'reference'", "report=json")
    assert [error.pointer for error in problem.errors] == ["body/reference"]


async def test_eight_turns_count_eight_times(client: httpx.AsyncClient) -> None:
    large = file(drawn("L", 500, 500))
    assert 500 * 500 < MAX_PIXELS < 8 * 500 * 500
    detail = "500 x 500", f"at most {MAX_PIXELS // 8} pixels", "8 times with self_ensemble"
    problems.check(await post(client, large, **ENSEMBLE), 413, "image_too_large", *detail)
    async with serving(max_waiting_pixels=9 * 32 * 32) as (other, state):
        content = file(drawn("RGB", 32, 32))
        answers = await asyncio.gather(*(post(other, content, **ENSEMBLE) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers)[0] == 200
        for answer in answers:
            if answer.status_code != 200:
                problems.check(answer, 503, "overloaded", "this picture's 8192")
        large = file(drawn("RGB", 300, 300))
        assert (await post(other, large)).status_code == 200  # the process that decodes runs from here on
        late = await post(other, large, timeout="0.5", **ENSEMBLE)
        problems.check(late, 503, "too_late", "at most 0.5 s")
        await idle(state)
        assert (await post(other, content, **ENSEMBLE)).status_code == 200


async def idle(state: State) -> None:
    async with asyncio.timeout(30):
        while state.pipeline.scheduler.pixels:
            await asyncio.sleep(0.001)


@pytest.mark.slow
async def test_a_hang_up_frees_the_device_of_all_eight() -> None:
    async with serving() as (client, state):
        scheduler, large = state.pipeline.scheduler, file(drawn("RGB", 700, 700))
        params: dict[str, Any] = {"self_ensemble": "true", "model": "torch"}
        task = asyncio.ensure_future(post(client, large, **params))
        async with asyncio.timeout(30):
            while scheduler.pixels < 6 * 700**2:
                await asyncio.sleep(0.001)
        task.cancel()
        assert (await post(client, model="scratch")).status_code == 200
        await idle(state)
        dropped = 'n2n_dropped_total{model="torch",reason="cancelled"}'
        (line,) = [line for line in (await client.get("/metrics")).text.splitlines() if dropped in line]
        assert float(line.split()[-1]) >= 6


async def test_a_batch_takes_what_concerns_the_pictures(client: httpx.AsyncClient) -> None:
    async def batch(**params: Any) -> httpx.Response:
        headers = {"Accept": "multipart/mixed"}
        return await client.post("/denoise/batch", files={"file": PNG}, params=params, headers=headers)

    for params in ({"strength": "0"}, {**ENSEMBLE}, {"model": "auto"}):
        alone = await post(client, **params)
        answer = await batch(**params)
        assert alone.content in answer.content
        assert f"N2N-Model: {alone.headers['n2n-model']}".encode() in answer.content
    problems.check(await batch(report="json"), 422, "bad_request", "'report'", "strength, self_ensemble")
