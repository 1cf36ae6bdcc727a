"""Make datasets, models and a training job, read them, and delete them."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from torch import Generator

from benchmarks.reliability.answers import WrongError, drawn, form
from n2n_core.models import architectures, weights
from n2n_core.models.weights import Card

STEPS_KNOWN = 40
"""Number of events after which a watcher disconnects, and reconnects with the last event's id."""

Json = dict[str, Any]


async def call(client: httpx.AsyncClient, method: str, path: str, status: int, **options: Any) -> Json:
    """Return the JSON of an answer, if there is any.

    Raises:
        WrongError: it has another status.
    """
    answer = await client.request(method, path, **options)
    if answer.status_code != status:
        raise WrongError(f"{method} {path}: {answer.status_code}, expected {status}: {answer.text[:300]}")
    is_json = answer.headers.get("content-type") == "application/json" and answer.content
    found: Json = answer.json() if is_json else {}
    return found


def scenes(count: int, side: int = 32, **values: str) -> tuple[bytes, str]:
    """Return an upload of a dataset of single noisy pictures."""
    files = [(f"{seed}.png", drawn("png", side, seed=seed)) for seed in range(count)]
    return form("file", files, **({"kind": "single"} | values))


async def upload_dataset(client: httpx.AsyncClient, upload: tuple[bytes, str]) -> str:
    """Make a dataset, and return its path."""
    body, kind = upload
    made = await call(client, "POST", "/datasets", 201, content=body, headers={"Content-Type": kind})
    return f"/datasets/{made['id']}"


async def one_dataset(client: httpx.AsyncClient, upload: tuple[bytes, str]) -> None:
    """Make a dataset, read all of it, and delete it."""
    path = await upload_dataset(client, upload)
    for part in ("", "/report", "/report.png", "/thumbnails/0.png"):
        await call(client, "GET", path + part, 200)
    await call(client, "DELETE", path, 204)
    await call(client, "GET", path, 404)


def small_model(seed: int = 0) -> bytes:
    """Return a weights file of a small network."""
    network = architectures.AutoEncoder((4, 3), skip=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.safetensors"
        weights.save(
            path, network.build(Generator().manual_seed(seed)), Card(architectures.describe(network))
        )
        return path.read_bytes()


async def one_model(client: httpx.AsyncClient, name: str, content: bytes) -> None:
    """Upload a model, use it, download it, and delete it."""
    await call(client, "POST", f"/models/{name}/versions", 201, content=content)
    picture = {"content": drawn("png", 32), "headers": {"Content-Type": "image/png"}}
    await call(client, "POST", f"/denoise?model={name}", 200, **picture)
    fetched = await client.get(f"/models/{name}/download")
    if fetched.content != content:
        raise WrongError(f"/models/{name}/download: not what was uploaded")
    await call(client, "DELETE", f"/models/{name}", 204)
    await call(client, "POST", f"/denoise?model={name}", 404, **picture)


async def lists(client: httpx.AsyncClient) -> None:
    """Read all pages of all lists. No item may come twice."""
    await call(client, "GET", "/models", 200)
    for name in ("datasets", "train-jobs"):
        token, seen = "", list[str]()
        while token is not None:
            query = f"?page_size=2&page_token={token}" if token else "?page_size=2"
            page = await call(client, "GET", f"/{name}{query}", 200)
            seen += [item["id"] for item in page["datasets" if name == "datasets" else "jobs"]]
            token = page["next_page_token"]
        if len(set(seen)) != len(seen):
            raise WrongError(f"/{name}: an item came twice: {seen}")
    for path in ("/healthz", "/readyz", "/metrics"):
        await call(client, "GET", path, 200)


@asynccontextmanager
async def training(client: httpx.AsyncClient, wrong: list[str]) -> AsyncIterator[str]:
    """Train a job within the block and watch its events, then delete everything."""
    dataset = await upload_dataset(client, scenes(6, name="soak"))
    recipe = {"dataset": dataset.rpartition("/")[2], "model": "scratch", "batch_size": 4, "force": True}
    job = await call(client, "POST", "/train-jobs", 202, json=recipe | {"epochs": 100_000, "name": "soak"})
    path = f"/train-jobs/{job['id']}"
    watcher = asyncio.create_task(_watch(client, path))
    try:
        yield path
    finally:
        with suppress(WrongError):  # 202, or 200 if it has not begun
            await call(client, "POST", f"{path}/cancel", 202)
        done = await wait_done(client, path)
        if done["state"] != "cancelled":
            wrong.append(f"the job: {done['state']}, expected cancelled: {done['error']}")
        try:
            async with asyncio.timeout(30):
                await watcher
        except (WrongError, TimeoutError, httpx.HTTPError) as error:
            wrong.append(f"the job's events: {error!r}")
        await call(client, "DELETE", path, 204)
        await call(client, "DELETE", dataset, 204)


async def wait_done(client: httpx.AsyncClient, path: str, seconds: float = 120) -> Json:
    """Wait until a job has ended, and return it.

    Raises:
        WrongError: it does not.
    """
    job: Json = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not job.get("done"):
                job = await call(client, "GET", path, 200, headers={"Prefer": "wait=5"})
            return job
    raise WrongError(f"{path} does not end: {job}")


async def _watch(client: httpx.AsyncClient, path: str) -> None:
    """Read a job's events until it is done. Disconnects now and then, and reconnects.

    Raises:
        WrongError: a line is missing, or comes twice.
    """
    last, done = 0, False
    while not done:
        known, headers = last, {"Last-Event-ID": str(last)}
        async with client.stream("GET", f"{path}/events", headers=headers, timeout=None) as answer:
            if answer.status_code == 204:
                return
            async for line in answer.aiter_lines():
                field, _, value = line.partition(": ")
                if field == "id" and int(value) != last + 1:
                    raise WrongError(f"{path}/events: line {value} after {last}")
                last = int(value) if field == "id" else last
                done |= field == "data" and json.loads(value).get("done") is True
                if last >= known + STEPS_KNOWN:
                    break
