"""``GET /models`` and ``GET /models/{id}``."""

import httpx
import pytest

from n2n_core import weights
from tests.service import problems

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
