"""Fill the disk under load: errors must be clear, no file half-written, and work must go on afterwards."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import httpx

from benchmarks.faults import jobs
from benchmarks.faults.kills import unfinished
from benchmarks.faults.load import Load, denoises
from benchmarks.faults.tally import Tally
from benchmarks.reliability.answers import drawn, form
from benchmarks.reliability.service import Service, connect
from benchmarks.soak import things

MIB = 64
LEFT = 0, 4096, 50_000, 400_000
"""Bytes that are left free, so that a write fails at its first byte, or in the middle."""

FULL_SECONDS = 4
WRITES, UNFINISHED = "large and small writes, done or refused by 507", "looks for unfinished files"


@contextmanager
def disk(folder: Path) -> Iterator[str | None]:
    """Mount a small disk on ``folder``, or return why that is not possible."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={MIB}m", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        yield f"disks cannot be mounted here: {error}"
        return
    try:
        yield None
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def full_disks(service: Service, times: int, seed: int = 0) -> Tally:
    """Fill the disk of the data and of temporary files, and make room again, ``times`` times."""
    tally, random = Tally("a full disk"), Random(seed)
    load = Load(tally, seed)
    load.refused = is_storage
    await load.learn(service.url)
    async with connect(service.url) as client:
        job = await jobs.begin(client)
        for turn in range(times):
            async with load.running(service.url):
                with _filled(service.data, LEFT[turn % len(LEFT)]):
                    tally.tried["times that it filled"] += 1
                    await asyncio.sleep(random.random() * FULL_SECONDS)
                    await _ask_to_write(client, tally)
                    await denoises(load, service.url)
            await _recovers(service, client, load, job)
        await jobs.end(client, job, tally)
    tally.check(UNFINISHED, not (left := unfinished(service)), f"left: {left}")
    return tally


@contextmanager
def _filled(folder: Path, left: int) -> Iterator[None]:
    """Fill the disk with a file within the block, except for ``left`` bytes."""
    hog = folder / "hog"
    try:
        with hog.open("wb", buffering=0) as file, suppress(OSError):  # others write meanwhile
            while True:
                status = os.statvfs(folder)
                size = min(status.f_bavail * status.f_frsize - left, 2**20)
                if size <= 0:
                    break
                file.write(bytes(size))
        yield
    finally:
        hog.unlink()


async def _ask_to_write(client: httpx.AsyncClient, tally: Tally) -> None:
    """Check that writes succeed (others may have made room) or are rejected, and that reading works."""
    body, kind = things.scenes(3, 24, name="full")
    large, form_kind = form("file", [("a.bmp", drawn("bmp", 700))])
    writes = [
        ("/datasets", body, kind, 201),
        ("/models/faults/versions", things.small_model(10**6), "application/octet-stream", 201),
        ("/denoise?model=scratch", large, form_kind, 200),
    ]
    for path, content, media_type, status in writes:
        try:
            async with connect(str(client.base_url)) as own:
                answer = await own.post(path, content=content, headers={"Content-Type": media_type})
            promised = answer.status_code == status or is_storage(answer)
            tally.check(WRITES, promised, f"{path}: {answer.status_code} {answer.text[:300]}")
        except httpx.TransportError as error:
            tally.check(WRITES, False, f"{path}: {error!r}")
    for path in ("/models", "/datasets", "/train-jobs", "/readyz", "/metrics"):
        answer = await client.get(path)
        tally.check("lists asked for meanwhile", answer.status_code == 200, f"{path}: {answer.text[:200]}")


async def _recovers(service: Service, client: httpx.AsyncClient, load: Load, job: str) -> None:
    """Check that uploads work again, and that the job either goes on or has failed because of the disk."""
    tally = load.tally
    while load.datasets:
        await things.call(client, "DELETE", f"/datasets/{load.datasets.pop()}", 204)
    await things.upload_dataset(client, things.scenes(3, 24, name="after"))
    found = await jobs.runs(client, job)
    if found["done"]:
        told = found["state"] == "failed" and found["error"]["code"] == "disk_full"
        tally.check(jobs.JOB, told, f"{found['state']}: {found['error']}")
        await things.call(client, "POST", f"{job}/resume", 202)
        tally.tried["jobs failed by disk_full, and resumed"] += 1
        found = await jobs.runs(client, job)
    tally.check(jobs.JOB, not found["done"], f"{found['state']}: {found['error']}")
    left = [path for path in unfinished(service) if "jobs/" not in path]
    tally.check(UNFINISHED, not left, f"left: {left}")


def is_storage(answer: httpx.Response) -> bool:
    """Return whether the answer is the problem ``storage``."""
    return answer.status_code == 507 and answer.json()["code"] == "storage"
