"""16 bits, floats and stacks through the whole service: to the device's process and back."""

import asyncio
import json
import zipfile
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import httpx
import numpy as np
import pytest
import tifffile
import torch

from n2n_core import image
from n2n_core.image.picture import samples
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import weights
from service.exceptions import RefusedError
from service.inference.device_process import RemoteDenoiser
from service.inference.file_request import FileRequest, Timing
from service.inference.loaded_models import ServedModel
from service.inference.pipeline import Pipeline
from service.inference.scheduler import Scheduler
from service.telemetry import Telemetry
from tests.core.image.corpus import by_libvips, pixels, vips
from tests.pictures import drawn, file
from tests.service import problems
from tests.service.api.denoise.test_options import parts
from tests.service.conftest import MAX_PIXELS
from tests.service.inference.test_scheduler import SECONDS, Gated

pytestmark = pytest.mark.anyio
MODEL = "scratch"


def smooth(dtype: str, channels: int, width: int = 40, height: int = 28) -> np.ndarray[Any, Any]:
    """``(H, W, C)``, with noise in every bit."""
    values = np.asarray(drawn("RGBA", width, height), np.float64)[..., :channels] / 255
    values = np.clip(values * 0.98 + np.random.default_rng(0).random(values.shape) * 0.02, 0, 1)
    return values.astype(np.float32) if dtype == "float32" else np.rint(values * 65535).astype(np.uint16)


def png(values: np.ndarray[Any, Any]) -> bytes:
    return bytes(vips(values).pngsave_buffer())


def stack(*pages: np.ndarray[Any, Any]) -> bytes:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for index, page in enumerate(pages):
            writer.write(page, photometric="minisblack", metadata=None, description=f"shot {index}")
    return buffer.getvalue()


async def post(client: httpx.AsyncClient, content: bytes, **params: str) -> httpx.Response:
    return await client.post("/denoise", files={"file": content}, params={"model": MODEL, **params})


def librarys(picture: image.Picture) -> image.Picture:
    denoiser = Denoiser.load(weights.find(MODEL).path, "cpu")
    return picture.with_colour(denoiser(torch.from_numpy(picture.colour[None]))[0].numpy())


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("target", ["png", "tiff"])
async def test_sixteen_bit_colours_keep_all_their_bits(
    client: httpx.AsyncClient, channels: int, target: str
) -> None:
    values = smooth("uint16", channels)
    untouched = await post(client, png(values), strength="0", format=target)
    assert np.array_equal(by_libvips(untouched.content), values)
    result = by_libvips((await post(client, png(values), format=target)).content)
    expected = samples(librarys(image.decode(png(values))), 16)
    assert result.dtype == np.uint16
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert np.array_equal(result[..., 3:], values[..., 3:])
    assert (result[..., :3] % 257 != 0).mean() > 0.9  # no 8 bits anywhere on the way


@pytest.mark.parametrize("scale", [1, 4095])
async def test_floats_come_back_on_their_own_scale(client: httpx.AsyncClient, scale: int) -> None:
    values = smooth("float32", 3) * np.float32(scale)
    content = bytes(vips(values).tiffsave_buffer())
    response = await post(client, content)
    result = by_libvips(response.content)
    assert response.headers["content-type"] == "image/tiff"
    assert result.dtype == np.float32
    assert np.abs(result - samples(librarys(image.decode(content)), 32)).max() <= 1e-5 * scale
    assert 0.3 < result.mean() / values.mean() < 1.5


async def test_grey_stays_grey(client: httpx.AsyncClient) -> None:
    for dtype, channels in (("uint8", 1), ("uint8", 2), ("uint16", 1), ("uint16", 2)):
        values = pixels(dtype, channels)
        result = by_libvips((await post(client, png(values))).content)
        assert (result.dtype, result.shape) == (values.dtype, values.shape)
        assert np.array_equal(result[..., 1:], values[..., 1:])


async def test_a_stack_is_denoised_page_by_page(client: httpx.AsyncClient) -> None:
    pages = [smooth("uint16", 1)[..., 0], smooth("uint16", 1, 64, 50)[..., 0], smooth("float32", 1)[..., 0]]
    response = await post(client, stack(*pages))
    assert response.status_code == 200
    with tifffile.TiffFile(BytesIO(response.content)) as result:
        assert len(result.pages) == 3
        for index, page in enumerate(result.pages):
            assert isinstance(page, tifffile.TiffPage)
            assert page.description == f"shot {index}"
            alone = image.decode((await post(client, stack(pages[index]))).content)
            assert np.array_equal(page.asarray(), samples(alone, alone.bits)[..., 0])


async def test_a_report_of_a_stack_describes_the_first_page(client: httpx.AsyncClient) -> None:
    pages = [smooth("uint16", 1)[..., 0], smooth("float32", 1, 300, 200)[..., 0]]
    content, options = stack(*pages), {"self_ensemble": "true", "report": "multipart", "uncertainty": "true"}
    whole, alone = [parts(await post(client, sent, **options)) for sent in (content, stack(pages[0]))]
    assert whole["image"] == (await post(client, content, self_ensemble="true")).content
    assert whole["uncertainty"] == alone["uncertainty"]
    told, first = [json.loads(found["report"]) for found in (whole, alone)]
    assert (told["pages"], first["pages"]) == (2, 1)
    other = (await post(client, stack(pages[1]), self_ensemble="true", report="json")).json()
    assert told["tiles"] == first["tiles"] + other["tiles"]
    for report in (told, first):
        for name in ("pages", "tiles", "milliseconds"):
            del report[name]
    assert told == first
    assert (await post(client, content, report="json")).json()["pages"] == 2


async def test_a_batch_holds_stacks_and_deep_pictures(client: httpx.AsyncClient) -> None:
    sent = {"stack.tif": stack(*[smooth("uint16", 1)[..., 0]] * 2), "deep.png": png(smooth("uint16", 3))}
    files = [("file", item) for item in sent.items()]
    response = await client.post("/denoise/batch", files=files, params={"model": MODEL})
    with zipfile.ZipFile(BytesIO(response.content)) as archive:
        for name, content in sent.items():
            assert archive.read(name) == (await post(client, content)).content


async def test_what_a_stack_cannot_be_is_refused(client: httpx.AsyncClient) -> None:
    content = stack(*[smooth("uint16", 1)[..., 0]] * 3)
    for answer in (
        await post(client, content, format="png"),
        await client.post("/denoise", files={"file": content}, headers={"accept": "image/png"}),
    ):
        problems.check(answer, 422, "several_pages", "png cannot store the image's 3 pages, expected tiff")
    single = stack(pixels("uint8", 1)[..., 0])
    for files, detail in (
        ({"file": content, "reference": single}, "the image has 3 pages, expected a single one"),
        ({"file": single, "reference": content}, "the reference: the image has 3 pages"),
    ):
        answer = await client.post("/denoise?report=json", files=files)
        problems.check(answer, 422, "several_pages", detail)
    side = int((MAX_PIXELS / 2) ** 0.5) + 1
    answer = await post(client, stack(*[np.zeros((side, side), np.uint8)] * 2))
    problems.check(answer, 413, "image_too_large", f"more than {MAX_PIXELS} pixels together")


async def test_an_animation_is_refused(client: httpx.AsyncClient) -> None:
    frames = [drawn("RGB", seed=seed) for seed in (1, 2)]
    for format in ("png", "webp"):
        content = file(frames[0], format, save_all=True, append_images=frames[1:])
        problems.check(await post(client, content), 422, "bad_image", "several frames or pages")


async def test_a_report_tells_the_bits(client: httpx.AsyncClient) -> None:
    for content, bits in ((png(smooth("uint16", 3)), 16), (stack(smooth("float32", 1)[..., 0]), 32)):
        assert (await post(client, content, report="json")).json()["bits"] == bits


async def test_pages_that_wait_for_their_turn_count_among_those_that_wait() -> None:
    telemetry, denoiser = Telemetry("1", "2"), Gated()
    scheduler = Scheduler(1, 6 * 32 * 32, telemetry)
    pipeline = Pipeline(MAX_PIXELS, scheduler, telemetry)
    denoiser.process = SimpleNamespace(name="cpu")  # type: ignore[attr-defined]
    denoisers = cast(tuple[RemoteDenoiser, ...], (denoiser,))
    served = ServedModel(weights.find(MODEL), denoisers, is_blind=False)
    request = FileRequest(served=served, data=b"", timeout=30)
    pages = [image.Picture(np.zeros((3, 32, 32), np.float32))] * 4
    first = asyncio.create_task(pipeline.denoise_pages(request, pages, Timing()))
    await asyncio.wait_for(denoiser.entered.wait(), SECONDS)
    assert scheduler.pixels == 3 * 32 * 32  # the fourth one runs
    with pytest.raises(RefusedError, match="3072 pixels are waiting, expected at most 6144"):
        await pipeline.denoise_pages(request, [*pages, pages[0]], Timing())
    second = asyncio.create_task(pipeline.denoise_pages(request, pages[:3], Timing()))
    await asyncio.sleep(0)
    assert scheduler.pixels == 6 * 32 * 32
    second.cancel()
    await asyncio.wait([second])
    denoiser.open()
    assert len(await first) == 4
    await scheduler.close()
    assert scheduler.pixels == 0
