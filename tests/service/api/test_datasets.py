"""``/datasets``: uploads of every kind, rejected uploads, and that these leave nothing behind."""

import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import get_args

import httpx
import numpy as np
import pytest
import tifffile
import torch
from fastapi import FastAPI
from PIL import Image
from starlette.types import Message

from n2n_core import image
from n2n_core.datasets.dataset import Dataset
from n2n_core.datasets.importing.naming import KINDS
from n2n_core.image import Picture
from service.api import schemas
from service.api.dependencies import State
from tests.core.datasets.test_pairs import Touch
from tests.pictures import opened
from tests.service import problems
from tests.service.serving import unstarted

pytestmark = pytest.mark.anyio


def noisy(seed: int, scene: int = 0, side: int = 64) -> bytes:
    """A PNG of a smooth scene with Gaussian noise of its own."""
    draw = torch.Generator().manual_seed(1000 * scene + seed + 1)
    ramp = torch.linspace(0.25, 0.75, side)
    clean = (ramp[:, None] + ramp[None].roll(scene * 7)).div(2).expand(3, -1, -1)
    return image.encode(Picture((clean + 0.08 * torch.randn(3, side, side, generator=draw)).numpy()))


def pairs(scenes: int = 4) -> bytes:
    """A ZIP of two folders."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for scene in range(scenes):
            for shot in "ab":
                archive.writestr(f"{shot}/{scene}.png", noisy(ord(shot), scene))
    return buffer.getvalue()


def tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


async def send(
    client: httpx.AsyncClient, *files: tuple[str, bytes], kind: str = "pairs", name: str = "mine", **more: str
) -> httpx.Response:
    parts = [("file", file) for file in files]
    return await client.post("/datasets", data={"kind": kind, "name": name, **more}, files=parts)


def state(app: FastAPI) -> State:
    held = app.state.n2n
    assert isinstance(held, State)
    return held


@pytest.fixture
def untouched(app: FastAPI) -> Iterator[None]:
    """Nothing is in the data folder or the database that was not there before."""
    folder, rows = state(app).folder.datasets, state(app).datasets
    before = set(folder.iterdir()), rows.page(200)
    yield
    assert (set(folder.iterdir()), rows.page(200)) == before


async def test_pairs_in_an_archive_become_a_dataset_that_jobs_can_train_on(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    response = await send(client, ("shots.zip", pairs()))
    assert response.status_code == 201, response.text
    made = response.json()
    assert response.headers["location"] == f"/datasets/{made['id']}"
    assert (made["name"], made["kind"], made["state"]) == ("mine", "pairs", "ready")
    assert made["counts"] == {"scenes": 4, "pictures": 8, "sizes": [[64, 64, 4]]}
    assert made["statistics"]["sigma"] == pytest.approx(0.08, rel=0.15)
    assert {check["name"] for check in made["report"]["checks"]} >= {"shift", "clipped"}
    dataset = Dataset.open(state(app).folder.dataset(made["id"]))
    assert (len(dataset), dataset.shots(0)) == (4, 2)
    assert dataset.fingerprint == made["report"]["fingerprint"] == made["options"]["fingerprint"]
    assert made["bytes"] > 2 * 4 * 64 * 64
    assert (await client.get(response.headers["location"])).json() == made
    names = [path.name for path in state(app).folder.datasets.iterdir()]
    assert made["id"] in names
    assert not [name for name in names if name.startswith(".")]


async def test_pictures_are_looked_at(client: httpx.AsyncClient) -> None:
    made = (await send(client, ("shots.zip", pairs()))).json()
    own = f"/datasets/{made['id']}"
    assert (await client.get(f"{own}/report")).json() == made["report"]
    sheet = opened((await client.get(f"{own}/report.png")).content)
    cells = made["report"]["cells"]
    assert {cell["scene"] for cell in cells} == {0, 1, 2, 3}
    assert max(cell["x"] + cell["width"] for cell in cells) == sheet.width
    assert max(cell["y"] + cell["height"] for cell in cells) == sheet.height
    plain = await client.get(f"{own}/thumbnails/0.png", headers={"accept": "application/octet-stream"})
    assert plain.headers["content-type"] == "application/octet-stream"
    assert plain.content == (await client.get(f"{own}/thumbnails/0.png")).content
    for path in ("report.png", "thumbnails/0.png", "thumbnails/3.png?shot=1"):
        response = await client.get(f"{own}/{path}")
        assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
        assert min(opened(response.content).size) >= 64
    first, second = [(await client.get(f"{own}/thumbnails/0.png?shot={shot}")).content for shot in (0, 1)]
    assert first != second
    problems.check(await client.get(f"{own}/thumbnails/4.png"), 404, "not_found", "scene is 4")
    problems.check(await client.get(f"{own}/thumbnails/0.png?shot=2"), 404, "not_found", "shot is 2")
    problems.check(await client.get(f"{own}/thumbnails/x.png"), 422, "bad_request", "'x'")


async def test_several_files_and_options(client: httpx.AsyncClient) -> None:
    files = [(f"s{scene}_{shot}.png", noisy(shot, scene)) for scene in range(3) for shot in range(4)]
    made = (await send(client, *files, kind="bursts", rule="{scene}_{shot}")).json()
    assert (made["counts"]["scenes"], made["counts"]["pictures"]) == (3, 12)
    assert made["options"]["rule"] == "{scene}_{shot}"
    noise = {"name": "gaussian", "sigma": 0.1}
    smooth = [(f"{scene}.png", noisy(0, scene)) for scene in range(3)]
    made = (await send(client, *smooth, kind="clean", corruption=json.dumps(noise))).json()
    assert made["options"]["corruption"] == noise


async def test_a_file_that_carries_code_is_refused_and_the_code_not_run(
    client: httpx.AsyncClient, tmp_path: Path, untouched: None
) -> None:
    torch.save((Touch(tmp_path / "touched"), Touch(tmp_path / "touched")), tmp_path / "shots.pkl")
    answer = await send(client, ("shots.pkl", (tmp_path / "shots.pkl").read_bytes()))
    problems.check(answer, 422, "bad_dataset", "shots.pkl")
    assert not (tmp_path / "touched").exists()


async def test_what_its_checks_refuse_is_kept_with_the_reason(client: httpx.AsyncClient) -> None:
    files = [(f"{scene}_{shot}.png", noisy(0, scene)) for scene in range(3) for shot in "ab"]
    response = await send(client, *files, rule="{scene}_{shot}")
    assert response.status_code == 201
    made = response.json()
    assert (made["state"], made["report"]["verdict"]) == ("refused", "refuse")
    assert {c["name"] for c in made["report"]["checks"] if c["verdict"] == "refuse"} >= {"identical"}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("files", "fields", "parts"), [
    ([("a.zip", pairs()[:-100])], {}, ["a.zip"]),
    ([("a.txt", b"hello")], {}, ["a.txt", "no pictures"]),
    ([("a.png", noisy(1)), ("b.png", b"\x89PNG\r\n\x1a\n")], {"kind": "single"}, ["b.png"]),
    ([("a.zip", pairs())], {"kind": "clean"}, ["need a corruption"]),
    ([("a.zip", pairs())], {"kind": "clean", "corruption": '{"name": "rain"}'}, ["rain"]),
    ([("a.zip", pairs())], {"kind": "clean", "corruption": '{"name": "gaussian", "sigma": "x"}'}, ["'x'"]),
    ([("a.tar", tar({"a\udcff.png": b"x"}))], {"kind": "single"}, ["\\udcff.png: not a readable"]),
])  # fmt: skip
async def test_what_cannot_be_read_leaves_nothing(
    client: httpx.AsyncClient, files: list[tuple[str, bytes]], fields: dict[str, str], parts: list[str]
) -> None:
    response = await send(client, *files, **fields)
    problems.check(response, 422, "bad_dataset", *parts)
    assert ".tmp" not in response.text


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("fields", "pointer"), [
    ({"kind": "trio"}, "body/kind"), ({"name": ""}, "body/name"), ({"data_range": "-1"}, "body/data_range"),
    ({"pages": "x"}, "body/pages"), ({"kinds": "x"}, "body/kinds"), ({"corruption": "{"}, "body/corruption"),
    ({"rule": "(?P<scene>(a+)+)(?P<shot>b)"}, "body/rule"), ({"corruption": "[" * 9999}, "body/corruption"),
])  # fmt: skip
async def test_wrong_fields_are_named(
    client: httpx.AsyncClient, fields: dict[str, str], pointer: str
) -> None:
    problem = problems.check(await send(client, ("a.zip", pairs()), **fields), 422, "bad_request")
    assert [fault.pointer for fault in problem.errors] == [pointer]


def floats(scale: float) -> bytes:
    """A TIFF of float values from 0 to ``scale``."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.linspace(0, scale, 64 * 64, dtype=np.float32).reshape(64, 64))
    return buffer.getvalue()


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("files", "fields", "pointer"), [
    ({"a_1.tif": floats(4095), "a_2.tif": floats(4095)}, {}, "body/data_range"),
    ({"a_1.tif": floats(1), "a_2.tif": floats(1)}, {"data_range": "1e-20"}, "body/data_range"),
    ({"a_1.png": noisy(1), "holiday.png": noisy(2)}, {}, "body/rule"),
    ({"a_1.png": noisy(1), "b_1.png": noisy(2)}, {}, "body/rule"),
    ({f"a_{shot}.png": noisy(shot) for shot in (1, 2, 3)}, {}, "body/kind"),
    ({"a_1.png": b"x", "a_2.png": b"x"}, {}, None),
])  # fmt: skip
async def test_the_field_that_does_not_fit_the_files_is_named(
    client: httpx.AsyncClient, files: dict[str, bytes], fields: dict[str, str], pointer: str | None
) -> None:
    problem = problems.check(await send(client, *files.items(), **fields), 422, "bad_dataset")
    assert [(fault.pointer, fault.detail) for fault in problem.errors] == (
        [(pointer, problem.detail)] if pointer else []
    )


FORM = "multipart/form-data; boundary=x"


def form(*parts: tuple[str, bytes]) -> bytes:
    heads = [b"--x\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" for head, _ in parts]
    return (
        b"".join(head + body + b"\r\n" for head, (_, body) in zip(heads, parts, strict=True)) + b"--x--\r\n"
    )


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(("body", "status", "parts"), [
    (form(('name="file"; filename="a"', b"x"))[:-9], 400, ["ends too early"]),
    (b"hello", 400, ["malformed"]),
    (form(('name="kind"', b"pairs")), 422, ["file", "missing"]),
    (form(('name="file"; filename=".."', b"x")), 422, ["'..'", "plain"]),
    (form(('name="file"; filename="a"', b"x"), ('name="file"; filename="b/a"', b"x")), 422, ["'a'"]),
    (form(('name="picture"; filename="a"', b"x")), 422, ["'picture'"]),
    (form(('name="kind"', b"x"), ('name="kind"', b"y")), 422, ["'kind'", "once"]),
    (form(('name="name"', bytes(70_000))), 422, ["longer"]),
])  # fmt: skip
async def test_broken_forms(client: httpx.AsyncClient, body: bytes, status: int, parts: list[str]) -> None:
    response = await client.post("/datasets", content=body, headers={"content-type": FORM})
    problems.check(response, status, "bad_request", *parts)


async def test_a_boundary_that_is_too_long(client: httpx.AsyncClient) -> None:
    response = await client.post("/datasets", content=b"x", headers={"content-type": FORM + "x" * 999})
    problems.check(response, 400, "bad_request", "Boundary length")


async def test_other_bodies_are_refused(client: httpx.AsyncClient) -> None:
    for kind in ("image/png", "multipart/form-data", ""):
        response = await client.post("/datasets", content=b"x", headers={"content-type": kind})
        problems.check(response, 415, "unsupported_media_type")
    large = json.dumps({"kind": "pairs", "name": "x", "path": "x" * 100_000})
    headers = {"content-type": "application/json"}
    problems.check(await client.post("/datasets", content=large, headers=headers), 413, "body_too_large")


async def test_an_upload_has_its_own_bound() -> None:
    async with unstarted(max_bytes=1000, max_body_bytes=1000, max_dataset_bytes=100_000) as (client, _):
        assert len(pairs()) > 50_000
        assert (await send(client, ("a.zip", pairs(2)))).status_code == 201
        response = await send(client, ("a.zip", bytes(100_000)))
        problems.check(response, 413, "body_too_large", "100000", "N2N_MAX_DATASET_BYTES")
        response = await client.post("/denoise", content=bytes(1001), headers={"content-type": "image/png"})
        problems.check(response, 413, "body_too_large", "N2N_MAX_BYTES")


async def test_what_is_made_of_an_upload_is_bounded_too() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (400, 400)).save(buffer, "PNG")  # half a megabyte of values
    async with unstarted(max_dataset_bytes=400_000) as (client, _):
        assert len(buffer.getvalue()) < 4000
        response = await send(client, ("a.png", buffer.getvalue()), kind="single")
        problems.check(response, 413, "dataset_too_large", "more than 400000 bytes", "N2N_MAX_DATASET_BYTES")


@pytest.mark.slow
async def test_an_import_has_a_bound_of_memory() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (6000, 6000)).save(buffer, "PNG")
    shots = [(f"a_{shot}.png", buffer.getvalue()) for shot in range(4)]  # 108 MB each, and as floats more
    async with unstarted(quick=False, train_memory=2**29) as (client, _):
        response = await send(client, *shots, kind="bursts")
        problems.check(response, 422, "bad_dataset", "N2N_TRAIN_MEMORY")
        assert (await send(client, ("a.zip", pairs()))).status_code == 201


async def test_an_upload_takes_no_memory(client: httpx.AsyncClient) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield form(('name="kind"', b"single"), ('name="name"', b"large"))[:-4]
        yield b'\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        for _ in range(2**11):
            yield bytes(2**16)
        yield b"\r\n--x--\r\n"

    before = getrusage(RUSAGE_SELF).ru_maxrss
    response = await client.post("/datasets", content=body(), headers={"content-type": FORM})
    problems.check(response, 422, "bad_dataset", "a.txt", "no pictures")
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 2**15  # KiB, of 128 MiB that were sent


async def test_a_client_that_hangs_up_leaves_nothing(app: FastAPI) -> None:
    pieces = [form(('name="file"; filename="a.zip"', bytes(2**16)))[:-100]]

    async def receive() -> Message:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": True}
        assert list(state(app).folder.datasets.glob(".*/files/a.zip"))
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pass

    headers = [(b"content-type", FORM.encode())]
    scope = {
        "type": "http", "method": "POST", "path": "/datasets", "raw_path": b"/datasets", "query_string": b"",
        "headers": headers, "scheme": "http", "server": ("n2n", 80), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    await app(scope, receive, send)
    assert not pieces
    assert not list(state(app).folder.datasets.glob(".*"))


async def test_files_of_the_server(tmp_path: Path, client: httpx.AsyncClient) -> None:
    order = {"kind": "pairs", "name": "here", "path": "shots.zip"}
    problems.check(await client.post("/datasets", json=order), 403, "no_dataset_root")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "shots.zip").write_bytes(pairs())
    (tmp_path / "secret.zip").write_bytes(pairs())
    (tmp_path / "root" / "link.zip").symlink_to(tmp_path / "secret.zip")
    async with unstarted(dataset_root=tmp_path / "root") as (own, _):
        response = await own.post("/datasets", json=order)
        assert (response.status_code, response.json()["counts"]["scenes"]) == (201, 4)
        for path in ("../secret.zip", str(tmp_path / "secret.zip"), "link.zip", "none.zip", "a\0b"):
            response = await own.post("/datasets", json=order | {"path": path})
            problems.check(response, 422, "bad_request", "N2N_DATASET_ROOT")
        problems.check(await own.post("/datasets", json=order | {"size": 1}), 422, "bad_request", "size")
    assert (tmp_path / "root" / "shots.zip").exists()


async def test_pages_of_the_list() -> None:
    async with unstarted() as (client, _):
        files = [("a.png", noisy(1)), ("b.png", noisy(2, 1))]
        ids = [(await send(client, *files, kind="single", name=name)).json()["id"] for name in "abc"]
        page = (await client.get("/datasets", params={"page_size": 2})).json()
        assert [row["id"] for row in page["datasets"]] == ids[:0:-1]
        rest = await client.get("/datasets", params={"page_token": page["next_page_token"]})
        assert [row["id"] for row in rest.json()["datasets"]] == ids[:1]
        assert rest.json()["next_page_token"] is None
        problems.check(await client.get("/datasets?page_size=0"), 422, "bad_request", "page_size")
        problems.check(await client.get("/datasets?page_token=x"), 422, "bad_request", "page_token")


async def test_delete_unless_a_job_uses_it() -> None:
    async with unstarted() as (client, held):
        dataset_id = (await send(client, ("shots.zip", pairs()))).json()["id"]
        own = f"/datasets/{dataset_id}"
        job = held.jobs.create({}, "mine", dataset_id)
        problems.check(await client.delete(own), 409, "conflict", "1 unfinished job")
        assert held.folder.dataset(dataset_id).exists()
        held.jobs.cancel(job.id)
        assert (await client.delete(own)).status_code == 204
        assert not held.folder.dataset(dataset_id).exists()
        for path in ("", "/report", "/report.png", "/thumbnails/0.png"):
            problems.check(await client.get(own + path), 404, "unknown_dataset", dataset_id)
        problems.check(await client.delete(own), 404, "unknown_dataset")


def test_the_kinds_are_the_cores() -> None:
    assert get_args(schemas.Kind) == tuple(KINDS)
