"""Run ``kill -9`` at random moments under load, then restart: data must be complete or absent, never half."""

from __future__ import annotations

import asyncio
import os
import signal
from random import Random
from time import monotonic, sleep

import httpx

from benchmarks.faults import jobs
from benchmarks.faults.load import UPLOADED, Load, denoises
from benchmarks.faults.tally import Tally
from benchmarks.reliability.answers import WrongError
from benchmarks.reliability.resources import is_torchs
from benchmarks.reliability.service import BACKGROUND, DEVICE, SERVICE, Service, connect
from benchmarks.soak import things
from service.storage.data_folder import DELETING, OLD_SECONDS

LONGEST_SECONDS = 2.0
"""Seconds from the first answer to the kill."""

END_SECONDS = 15
"""Seconds within which the processes of a killed service must end."""

KILL, ORPHANS = "kills of the service", "processes left behind by them"
DATASET, FOLDERS, FILES = "datasets found whole", "folders, each with its row", "looks for unfinished files"
MODELS = "looks at the models' files and rows"


async def kills(service: Service, times: int, *, all_of_it: bool, seed: int = 0) -> Tally:
    """Kill the service's own process, or all of its processes with the trainer, ``times`` times."""
    what = "all its processes" if all_of_it else "the service"
    tally, random = Tally(f"kill -9 of {what}"), Random(seed)
    load = Load(tally, seed)
    await load.learn(service.url)
    async with connect(service.url) as client:
        job = await jobs.begin(client)
    for _ in range(times):
        async with load.running(service.url):
            await asyncio.sleep(random.random() * LONGEST_SECONDS)
            await asyncio.to_thread(_kill, service, tally, all_of_it)
        _let_time_pass(service)
        await asyncio.to_thread(service.start)
        async with connect(service.url) as client:
            await _look(service, client, load, tally)
            await jobs.goes_on(client, job, tally)
    async with connect(service.url) as client:
        await jobs.end(client, job, tally)
    tally.check(FILES, not (left := unfinished(service)), f"left: {left}")
    return tally


async def device_kills(service: Service, times: int, seed: int = 0) -> Tally:
    """Kill the device's process while it works: clients must not notice."""
    tally, random = Tally("kill -9 of the device's process"), Random(seed)
    load = Load(tally, seed)
    await load.learn(service.url)
    async with load.running(service.url):
        for _ in range(times):
            await asyncio.sleep(0.5 + random.random())
            for pid in _of(service, DEVICE):
                os.kill(pid, signal.SIGKILL)
            tally.tried["kills of the device's process"] += 1
            await denoises(load, service.url)  # by another one: what meets two deaths is not tried again
    return tally


def _kill(service: Service, tally: Tally, all_of_it: bool) -> None:
    """Check that the processes of the service end by themselves, except for the trainer, which goes on."""
    others = {pid: role for pid, role in service.processes().items() if role != SERVICE}
    service.kill()
    tally.tried[KILL] += 1
    if all_of_it:
        for pid in others:
            _quietly_kill(pid)
    deadline = monotonic() + END_SECONDS
    while (left := [*_of(service, DEVICE), *_of(service, BACKGROUND)]) and monotonic() < deadline:
        sleep(0.05)
    tally.check(ORPHANS, not left, f"{len(left)} still run {END_SECONDS} s after it")


def _quietly_kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _of(service: Service, role: str) -> list[int]:
    return [pid for pid, its in service.processes().items() if its == role]


def _let_time_pass(service: Service) -> None:
    """Make files look older, as files younger than a minute may still have a writer."""
    for folder in (service.data / "datasets", service.data / "models"):
        for path in (folder, *folder.rglob("*")):
            then = path.stat().st_mtime - OLD_SECONDS - 1
            os.utime(path, (then, then))


async def _look(service: Service, client: httpx.AsyncClient, load: Load, tally: Tally) -> None:
    """Check that datasets and models are complete or absent, and that nothing unfinished is left."""
    rows = await _all_datasets(client)
    for dataset in rows:
        tally.check(DATASET, *await _whole(client, dataset))
    missing = set(load.datasets) - {row["id"] for row in rows}
    tally.check(UPLOADED, not missing, f"{len(missing)} of {len(load.datasets)} are gone")
    names = {path.name for path in (service.data / "datasets").iterdir()}
    strange = names ^ {row["id"] for row in rows}
    tally.check(FOLDERS, not strange, f"{sorted(strange)} have no row, or no folder")
    await _look_at_models(service, client, tally)
    left = [path for path in unfinished(service) if "jobs/" not in path]  # where the trainer is at work
    tally.check(FILES, not left, f"left: {left}")


async def _all_datasets(client: httpx.AsyncClient) -> list[things.Json]:
    found: list[things.Json] = []
    query = "?page_size=200"
    while query:
        page = await things.call(client, "GET", f"/datasets{query}", 200)
        found += page["datasets"]
        token = page["next_page_token"]
        query = f"?page_size=200&page_token={token}" if token else ""
    return found


async def _whole(client: httpx.AsyncClient, dataset: things.Json) -> tuple[bool, str]:
    """Return whether the dataset is ready and has its report and pictures; if not, also the reason."""
    path = f"/datasets/{dataset['id']}"
    if dataset["state"] != "ready":
        return False, f"{path} is {dataset['state']}"
    try:
        await things.call(client, "GET", f"{path}/report.png", 200)
        await things.call(client, "GET", f"{path}/report", 200)
    except WrongError as error:
        return False, str(error)
    return True, ""


async def _look_at_models(service: Service, client: httpx.AsyncClient, tally: Tally) -> None:
    """Check that each row has its file, named by its hash, and that no file is without a row."""
    models = (await things.call(client, "GET", "/models", 200))["models"]
    hashes = set()
    for model in models:
        versions = await things.call(client, "GET", f"/models/{model['name']}/versions", 200)
        hashes |= {version["sha256"] for version in versions["versions"]}
    files = {path.stem for path in (service.data / "models").iterdir()}
    strange = hashes ^ files
    tally.check(MODELS, not strange, f"{sorted(strange)} have no row, or no file")


def unfinished(service: Service) -> list[str]:
    """Return the files that interrupted writers have left."""
    temporary = [path for path in service.temporary.iterdir() if not is_torchs(path)]
    found = [*service.data.rglob(".*.tmp"), *service.data.rglob(f"{DELETING}*"), *temporary]
    return [str(path.relative_to(service.data.parent)) for path in found]
