"""Decoding that does not end: it is killed with its request, and delays no other."""

import asyncio
from pathlib import Path

import httpx
import pytest

from service.inference import codecs
from tests.pictures import drawn, file
from tests.service import problems
from tests.service.processes.slow import hang_as_told
from tests.service.processes.test_fair_pool import begun
from tests.service.processes.test_worker_pool import gone
from tests.service.serving import serving

pytestmark = pytest.mark.anyio

PNG = {"content-type": "image/png"}


async def test_it_ends_with_the_requests_time_and_with_its_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(default_model="scratch") as (client, state):

        def send(sign: Path, timeout: float) -> asyncio.Task[httpx.Response]:
            content = b"iTXt" + str(sign).encode()  # which is not read on the loop
            url = f"/denoise?timeout={timeout}"
            return asyncio.create_task(client.post(url, content=content, headers=PNG))

        with monkeypatch.context() as patch:
            patch.setattr(codecs, "_read", hang_as_told)
            late, abandoned = send(tmp_path / "late", 2), send(tmp_path / "abandoned", 60)
            processes = [await begun(tmp_path / name) for name in ("late", "abandoned")]
        large = await client.post("/denoise", content=file(drawn("RGB", 300, 300)), headers=PNG)
        assert large.status_code == 200
        problems.check(await late, 503, "deadline")
        abandoned.cancel()
        for process in processes:
            await gone(process)
        assert state.pipeline.scheduler.pixels == 0
