"""The share of the disk that the datasets of one API key, or of all requests without one, may have."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from n2n_core import image
from n2n_core.image import Picture
from service.access.keys import ApiKeys
from service.api.dependencies import State
from service.settings.server import Settings
from tests.service import problems
from tests.service.api.test_datasets import pairs, send
from tests.service.serving import unstarted

pytestmark = pytest.mark.anyio

SHARE = 1_000_000


@pytest.fixture
async def served() -> AsyncIterator[tuple[httpx.AsyncClient, State]]:
    async with unstarted(key_dataset_bytes=SHARE) as served:
        yield served


def kept(state: State) -> int:
    assert not list(state.folder.datasets.glob(".*"))
    return state.datasets.bytes_of("")


def body(name: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    form = httpx.Request(
        "POST", "http://n2n", data={"kind": "pairs", "name": "x"}, files={"file": (name, content)}
    )
    return form.read(), {"content-type": form.headers["content-type"]}


async def test_one_that_is_announced_too_large_is_not_read(served: tuple[httpx.AsyncClient, State]) -> None:
    client, state = served
    read = list[int]()

    async def pieces() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"x"

    headers = {"content-type": "multipart/form-data; boundary=x", "content-length": str(SHARE + 1)}
    answer = await client.post("/datasets", content=pieces(), headers=headers)
    problems.check(answer, 507, "storage_exceeded", f"{SHARE + 1} more", str(SHARE), "N2N_KEY_DATASET_BYTES")
    assert (kept(state), read) == (0, [])


async def test_bytes_count_as_they_arrive(served: tuple[httpx.AsyncClient, State]) -> None:
    client, state = served
    content, headers = body("a.zip", bytes(SHARE))
    read = list[int]()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 10_000):
            read.append(start)
            yield content[start : start + 10_000]

    answer = await client.post("/datasets", content=pieces(), headers=headers)
    problems.check(answer, 507, "storage_exceeded", "0 bytes of datasets of requests without a key")
    assert (kept(state), bool(state.receiving.bytes)) == (0, False)


async def test_several_at_once_do_not_get_more(served: tuple[httpx.AsyncClient, State]) -> None:
    client, state = served
    size = (await send(client, ("a.zip", pairs(2)))).json()["bytes"]
    answers = await asyncio.gather(*(send(client, ("a.zip", pairs(2))) for _ in range(12)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {201, 507}
    assert kept(state) == size * (1 + statuses.count(201)) <= SHARE


async def test_what_pictures_become_counts(served: tuple[httpx.AsyncClient, State]) -> None:
    client, state = served
    flat = image.encode(Picture(np.full((3, 600, 600), 0.5, np.float32)))
    assert len(flat) < SHARE / 100
    before = (await send(client, ("a.zip", pairs(2)))).json()["bytes"]
    answer = await send(client, ("flat.png", flat), kind="single")
    detail = f"of {SHARE} bytes of datasets, {before} are kept already (N2N_KEY_DATASET_BYTES)"
    problems.check(answer, 507, "storage_exceeded", f"more than {SHARE - before} bytes", detail)
    assert kept(state) == before


async def test_each_key_has_its_own_and_deleting_makes_room(served: tuple[httpx.AsyncClient, State]) -> None:
    client, state = served
    keys = [ApiKeys(state.jobs.database).add(name, ["train"]) for name in "ab"]
    first, second = [{"authorization": f"Bearer {key}"} for key in keys]
    content, headers = body("a.zip", pairs(2))
    made = []
    for _ in range(9):
        answer = await client.post("/datasets", content=content, headers=headers | first)
        if not answer.is_success:
            break
        made.append(answer.json()["id"])
    problems.check(answer, 507, "storage_exceeded", "bytes of datasets of this key")
    assert (await client.post("/datasets", content=content, headers=headers | second)).status_code == 201
    assert (await client.delete(f"/datasets/{made[0]}", headers=second)).status_code == 204
    assert (await client.post("/datasets", content=content, headers=headers | first)).status_code == 201


async def test_jobs_of_a_key_have_a_limit_and_a_repeated_request_is_no_second_job() -> None:
    async with unstarted(key_jobs=2) as (client, state):
        dataset = (await send(client, ("a.zip", pairs()))).json()["id"]
        wanted = {"dataset": dataset, "model": "scratch"}
        same = {"idempotency-key": "1"}
        first = await client.post("/train-jobs", json=wanted, headers=same)
        assert (await client.post("/train-jobs", json=wanted)).status_code == 202
        detail = "2 unfinished jobs of requests without a key count already", "(N2N_KEY_JOBS)"
        problems.check(
            await client.post("/train-jobs", json=wanted, headers={"idempotency-key": "2"}),
            429,
            "jobs_exceeded",
            *detail,
        )
        assert (await client.post("/train-jobs", json=wanted, headers=same)).json() == first.json()
        await client.post(f"/train-jobs/{first.json()['id']}/cancel")
        again = await client.post("/train-jobs", json=wanted, headers={"idempotency-key": "2"})
        assert again.status_code == 202
        assert state.jobs.get(again.json()["id"]).owner == ""


def test_imports_share_the_memory_of_a_trainer() -> None:
    assert Settings(imports=4, train_memory=2**32).import_memory == 2**30
    assert Settings(imports=100, train_memory=2**28).import_memory == 2**28
