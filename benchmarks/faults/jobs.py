"""Training job that the faults interrupt."""

from __future__ import annotations

import asyncio
from time import monotonic

import httpx

from benchmarks.faults.tally import Tally
from benchmarks.reliability.answers import WrongError
from benchmarks.soak import things

PATIENCE_SECONDS = 120
DIED = "crashed", "lease_expired"
JOB = "looks at the job"


async def begin(client: httpx.AsyncClient) -> str:
    """Start a job that trains without end, and return its path once it has a checkpoint."""
    dataset = await things.upload_dataset(client, things.scenes(6, name="job"))
    recipe = {"dataset": dataset.rpartition("/")[2], "model": "scratch", "batch_size": 4, "force": True}
    wanted = recipe | {"epochs": 100_000, "name": "job"}
    made = await things.call(client, "POST", "/train-jobs", 202, json=wanted)
    path = f"/train-jobs/{made['id']}"
    await runs(client, path)
    return path


async def runs(client: httpx.AsyncClient, path: str) -> things.Json:
    """Wait until the job trains or has ended, and return it.

    Raises:
        WrongError: neither comes.
    """
    deadline = monotonic() + PATIENCE_SECONDS
    while monotonic() < deadline:
        job = await things.call(client, "GET", path, 200)
        if job["done"] or (job["state"] == "running" and job["progress"]["step"] > 0):
            return job
        await asyncio.sleep(0.1)
    raise WrongError(f"{path} does not train: {job}")


async def goes_on(client: httpx.AsyncClient, path: str, tally: Tally) -> None:
    """Check that the job goes on. After the third crash it must have failed with a reason; resume it."""
    job = await runs(client, path)
    if job["done"]:
        died = job["state"] == "failed" and job["error"]["code"] in DIED
        told = died and job["attempt"] == job["max_attempts"]
        tally.check(JOB, told, f"{job['state']} at attempt {job['attempt']}: {job['error']}")
        await things.call(client, "POST", f"{path}/resume", 202)
        tally.tried["resumed after the third death"] += 1
        job = await runs(client, path)
    tally.check(JOB, not job["done"], f"{job['state']}: {job['error']}")


async def end(client: httpx.AsyncClient, path: str, tally: Tally) -> None:
    """Check that the job can still be stopped at a checkpoint."""
    await things.call(client, "POST", f"{path}/cancel", 202)
    job = await things.wait_done(client, path)
    tally.check(JOB, job["state"] == "cancelled", f"{job['state']}: {job['error']}")
