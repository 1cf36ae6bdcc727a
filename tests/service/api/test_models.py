"""``/models``: lists, versions and files; uploads, promotion, deletion."""

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import onnxruntime
import pytest
import torch
from httpx import Response
from safetensors import safe_open
from safetensors.torch import save

from n2n_core.models import architectures, weights
from service.api.models import _count
from tests.service import problems
from tests.service.serving import serving
from tests.service.small import saved

pytestmark = pytest.mark.anyio


async def test_the_list_holds_every_shipped_model(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/models")).json()["models"]
    assert [model["id"] for model in listed] == sorted(weights.read_index())
    assert [model["id"] for model in listed if model["default"]] == ["torch"]


@pytest.mark.parametrize("name", sorted(weights.read_index()))
async def test_one_model_tells_where_it_comes_from(client: httpx.AsyncClient, name: str) -> None:
    model = (await client.get(f"/models/{name}")).json()
    entry = weights.find(name)
    network, _, card = weights.load(entry.path)
    assert model["sha256"] == entry.sha256 == weights.sha256(entry.path)
    assert model["parameters"] == weights.count_parameters(network)
    assert model["metrics"] == card.metrics
    assert model["recipe"] == card.recipe
    assert model in (await client.get("/models")).json()["models"]


@pytest.mark.parametrize("name", ["best", "a%20b%23", "..%2Ftorch", "%00", "%C3%BC", "torch.safetensors"])
async def test_an_unknown_model_lists_the_known_ones(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/models/{name}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert " " not in response.json()["instance"]


async def test_the_unknown_name_is_quoted(client: httpx.AsyncClient) -> None:
    problems.check(await client.get("/models/best"), 404, "unknown_model", "'best'", "scratch, torch")


async def upload(client: httpx.AsyncClient, content: bytes, name: str = "mine", **params: Any) -> Response:
    return await client.post(f"/models/{name}/versions", content=content, params=params)


async def test_uploads_become_versions_that_are_promoted_and_rolled_back(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    first, second = (saved(tmp_path, seed).read_bytes() for seed in (1, 2))
    response = await upload(client, first, task="my microscope")
    assert response.status_code == 201, response.text
    assert response.headers["location"] == "/models/mine@1"
    made = response.json()
    assert (made["id"], made["version"], made["source"], made["promoted"]) == ("mine", 1, "uploaded", True)
    assert made["sha256"] == hashlib.sha256(first).hexdigest()
    assert (made["task"], made["parameters"]) == ("my microscope", 223)
    held = (await upload(client, second, promote=False)).json()
    assert (held["id"], held["task"], held["promoted"]) == ("mine@2", "my microscope", False)
    assert (await client.get("/models/mine")).json() == made
    assert (await client.get("/models/mine@2")).json() == held
    assert (await client.get("/models/mine/versions")).json() == {"versions": [held, made]}
    problems.check(await client.post("/models/mine/rollback"), 409, "conflict", "'mine'")
    assert (await client.post("/models/mine@2/promote")).json()["version"] == 2
    assert (await client.get("/models/mine")).json()["sha256"] == held["sha256"]
    assert (await client.post("/models/mine/rollback")).json()["version"] == 1
    problems.check(await client.delete("/models/mine@1"), 409, "conflict", "promoted")
    assert (await client.delete("/models/mine@2")).status_code == 204
    problems.check(await client.get("/models/mine@2"), 404, "unknown_model")
    assert (await client.delete("/models/mine")).status_code == 204
    problems.check(await client.get("/models/mine/versions"), 404, "unknown_model")


async def test_what_is_no_model_is_refused(client: httpx.AsyncClient, tmp_path: Path) -> None:
    good = saved(tmp_path, 1).read_bytes()
    for content in (b"", b"hello", good[:-10], good.replace(b"autoencoder", b"autodecoder")):
        response = await upload(client, content)
        problems.check(response, 422, "bad_model", "mine.safetensors")
        assert "/datasets" not in response.text
    for name in ("Mine", "default", "auto", "a@1"):
        problems.check(await upload(client, good, name), 422, "bad_model", repr(name))
    problems.check(await upload(client, good, "auto"), 422, "bad_model", "reserved: 'auto'", "'default'")
    problems.check(await upload(client, bytes(3_000_000)), 413, "body_too_large")
    problems.check(await client.get("/models/mine"), 404, "unknown_model")


@pytest.mark.parametrize(("key", "value"), [
    ("metrics", '"x"'), ("metrics", '{"psnr": "x"}'), ("metrics", '{"psnr": NaN}'), ("recipe", "[1]"),
    ("recipe", "9" * 5000), ("recipe", '{"a": 1e999}'), ("licence", "5"), ("licence", '"\\ud800"'),
    ("data", '{"a": %s}' % ("[" * 40 + "]" * 40)), ("data", '{"a": %s}' % ("[" * 900 + "]" * 900)),
])  # fmt: skip
async def test_what_could_not_be_listed_is_refused(
    client: httpx.AsyncClient, tmp_path: Path, key: str, value: str
) -> None:
    with safe_open(saved(tmp_path, 1), framework="pt") as file:
        metadata = file.metadata() | {key: value}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    response = await upload(client, save(tensors, metadata))
    problems.check(response, 422, "bad_model", "its metadata cannot be used")
    assert (await client.get("/models")).status_code == 200


async def test_a_long_description_is_refused_in_few_words(client: httpx.AsyncClient, tmp_path: Path) -> None:
    with safe_open(saved(tmp_path, 1), framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    response = await upload(client, save(tensors, metadata | {"licence": json.dumps("x" * 100_000)}))
    problems.check(response, 422, "bad_model", "its description", "expected at most 65536")
    response = await upload(client, save(tensors, metadata | {"metrics": json.dumps(["x" * 60_000])}))
    problems.check(response, 422, "bad_model", "its metadata cannot be used: metrics is ['xxx")
    assert len(response.content) < 1000
    problems.check(await client.get("/models/mine"), 404, "unknown_model")


async def test_a_model_that_would_take_all_memory_is_refused(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    eleven = architectures.UNet((1,) * 11, (1,) * 11)
    path = tmp_path / "w.safetensors"
    weights.save(path, eleven.build(), weights.Card(architectures.describe(eleven)))
    problems.check(await upload(client, path.read_bytes()), 422, "bad_model", "has 73728 pixels a side")


async def test_a_damaged_file_spoils_no_list_and_is_not_sent(tmp_path: Path) -> None:
    async with serving() as (client, state):
        made = (await upload(client, saved(tmp_path, 7).read_bytes())).json()
        await upload(client, saved(tmp_path, 8).read_bytes(), "good")
        state.catalogue.path(state.catalogue.resolve("mine")).write_bytes(b"damaged")
        _count.cache_clear()
        listed = {model["name"]: model for model in (await client.get("/models")).json()["models"]}
        assert (listed["mine"]["parameters"], listed["good"]["parameters"]) == (None, 223)
        for format in ("safetensors", "onnx"):
            answer = await client.get("/models/mine/download", params={"format": format})
            problems.check(answer, 503, "unavailable", "'mine'", f"{made['sha256']}.safetensors: sha256 is")
            assert answer.headers["retry-after"]
            assert str(tmp_path) not in answer.text


async def test_shipped_and_default_models_are_not_deleted(client: httpx.AsyncClient) -> None:
    problems.check(await client.delete("/models/scratch"), 409, "conflict", "shipped")
    for name in ("torch", "default"):
        problems.check(await client.delete(f"/models/{name}"), 409, "conflict", "default")
    problems.check(await client.delete("/models/best"), 404, "unknown_model")


async def test_what_a_job_starts_from_is_not_deleted(tmp_path: Path) -> None:
    async with serving() as (client, state):
        sha256 = (await upload(client, saved(tmp_path, 3).read_bytes(), "base")).json()["sha256"]
        state.datasets.create("x", "pairs", dataset_id="x", state="ready")
        job = state.jobs.create({}, "tuned", "x", base_sha256=sha256)
        problems.check(await client.delete("/models/base"), 409, "conflict", "1 unfinished job")
        state.jobs.cancel(job.id)
        assert (await client.delete("/models/base")).status_code == 204


@pytest.mark.parametrize("name", [*sorted(weights.read_index()), "default"])
async def test_the_file_is_the_servers(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/models/{name}/download")
    own = (await client.get(f"/models/{name}")).json()
    assert response.headers["etag"] == f'"{own["sha256"]}"'
    assert f'filename="{own["name"]}-1.safetensors"' in response.headers["content-disposition"]
    assert hashlib.sha256(response.content).hexdigest() == own["sha256"]
    assert len(response.content) == own["bytes"]


@pytest.mark.parametrize("name", sorted(weights.read_index()))
async def test_as_onnx_it_computes_the_same(client: httpx.AsyncClient, name: str) -> None:
    response = await client.get(f"/models/{name}/download", params={"format": "onnx"})
    assert f'filename="{name}-1.onnx"' in response.headers["content-disposition"]
    session = onnxruntime.InferenceSession(response.content, providers=["CPUExecutionProvider"])
    network, _, card = weights.load(weights.find(name).path)
    pictures = torch.rand(3, 3, 40, 56, generator=torch.Generator().manual_seed(1))
    (found,) = session.run(None, {"noisy": pictures.numpy()})
    assert torch.allclose(torch.from_numpy(found), network(pictures).detach(), atol=1e-4)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["architecture"]) == card.architecture


async def test_without_its_packages_onnx_is_not_made(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("n2n_core.inference.onnx_export.find_spec", lambda name: None)
    response = await client.get("/models/torch/download", params={"format": "onnx"})
    problems.check(response, 501, "not_installed", "n2n[onnx]")
    response = await client.get("/models/torch/download", params={"format": "pickle"})
    problems.check(response, 422, "bad_request", "'pickle'")
