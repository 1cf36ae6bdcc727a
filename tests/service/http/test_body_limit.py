"""Limits on the size of bodies and on the time to send them. tests/hostile tests them on the wire."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from tests.pictures import drawn, file
from tests.service import problems
from tests.service.serving import serving

pytestmark = pytest.mark.anyio

LIKE = {"content-type": "image/png"}


async def dripping(pieces: Iterable[bytes], pause: float) -> AsyncIterator[bytes]:
    for piece in pieces:
        await asyncio.sleep(pause)
        yield piece


async def test_a_body_has_to_keep_up_with_the_rate_and_within_its_size() -> None:
    content = file(drawn("RGB", 60, 60), "bmp")
    fair = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    slow = {
        "dripping": ([b"x"] * 100, 0.05),
        "one pause": ([b"", b"x"], 1.5),
        "a pause after much": ([bytes(10**6), b"x"], 1.2),  # which buys no longer one
    }
    most: dict[str, Any] = {"max_bytes": 1_100_000, "max_dataset_bytes": 70_000}
    async with serving(read_timeout=1.0, min_rate=1000, **most, default_model="scratch") as (client, _):
        for pieces, pause in slow.values():
            response = await client.post("/denoise", content=dripping(pieces, pause), headers=LIKE)
            problems.check(
                response, 408, "read_timeout", "at least 1000 bytes per second", "N2N_READ_TIMEOUT"
            )
            assert response.headers["connection"] == "close"
        response = await client.post("/denoise", content=dripping(fair, 0.12), headers=LIKE)
        assert response.status_code == 200
        await check_refusals_reach_the_client(client)


async def check_refusals_reach_the_client(client: httpx.AsyncClient) -> None:
    """As they are, also through the framework, which reads JSON by itself."""
    for path, kind in {
        "/train-jobs": "application/json",
        "/datasets": "application/json",
        "/denoise": "image/png",
    }.items():
        body = dripping([bytes(600_000)] * 2, 0)
        response = await client.post(path, content=body, headers={"content-type": kind})
        problems.check(response, 413, "body_too_large")


async def test_a_request_has_its_time_to_be_read_and_worked_on() -> None:
    content = file(drawn("RGB", 1500, 1500), "jpeg")
    async with serving(total_timeout=0.2, default_model="scratch") as (client, state):
        body = dripping([bytes(10**5)] * 20, 0.05)
        response = await client.post("/denoise", content=body, headers=LIKE)
        problems.check(response, 408, "total_timeout", "within 0.2 seconds (N2N_TOTAL_TIMEOUT)")
        response = await client.post("/denoise?self_ensemble=true", content=content, headers=LIKE)
        problems.check(response, 503, "deadline", "N2N_TOTAL_TIMEOUT")
        async with asyncio.timeout(60):
            while state.pipeline.scheduler.pixels:  # but for what the device has in hand, it is dropped
                await asyncio.sleep(0.01)
