"""Access control on every route: keys, their scopes, and rejected requests."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from service.access.keys import ApiKeys
from service.access.scopes import ASSETS, PAGE, SCOPES, Scope, needed
from service.api.dependencies import State
from service.app import create_app
from service.settings.server import Settings
from tests.pictures import drawn, file
from tests.service import problems
from tests.service.serving import serving, unstarted

pytestmark = pytest.mark.anyio
PNG = file(drawn("RGB"))
NEEDS: dict[str, Scope | None] = {
    "POST /denoise": "denoise",
    "POST /denoise/batch": "denoise",
    "GET /models": "denoise",
    "GET /models/{model}": "denoise",
    "GET /models/{model}/versions": "denoise",
    "GET /models/{model}/download": "denoise",
    "DELETE /models/{model}": "admin",
    "POST /models/{model}/versions": "admin",
    "POST /models/{model}/promote": "admin",
    "POST /models/{model}/rollback": "admin",
    "POST /datasets": "train",
    "GET /datasets": "train",
    "GET /datasets/{dataset}": "train",
    "DELETE /datasets/{dataset}": "train",
    "GET /datasets/{dataset}/report": "train",
    "GET /datasets/{dataset}/report.png": "train",
    "GET /datasets/{dataset}/thumbnails/{scene}.png": "train",
    "POST /train-jobs": "train",
    "GET /train-jobs": "train",
    "GET /train-jobs/{job}": "train",
    "DELETE /train-jobs/{job}": "train",
    "POST /train-jobs/{job}/cancel": "train",
    "POST /train-jobs/{job}/resume": "train",
    "GET /train-jobs/{job}/metrics": "train",
    "GET /train-jobs/{job}/events": "train",
    "GET /train-jobs/{job}/samples": "train",
    "GET /train-jobs/{job}/samples/{name}": "train",
    "GET /train-jobs/{job}/plots/{name}.{format}": "train",
    "GET /train-jobs/{job}/log": "train",
    "GET /metrics": "admin",
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /": None,
    "GET /docs": None,
    "GET /openapi.json": None,
    "GET /docs/assets/x": None,
    "GET /web/x": None,
}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="module")
async def locked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[httpx.AsyncClient, State]]:
    """A service that asks for keys."""
    async with serving(data=tmp_path_factory.mktemp("data")) as (client, state):
        yield client, state


@pytest.fixture(scope="module")
def keys(locked: tuple[httpx.AsyncClient, State]) -> dict[Scope, str]:
    """A key for each scope alone."""
    state = locked[1]
    made = {scope: ApiKeys(state.jobs.database).add(scope, [scope]) for scope in SCOPES}
    state.keyring.look()
    return made


def routes(app: FastAPI) -> set[str]:
    """Method and path of every route; HEAD is GET, and ``?`` is no HTTP."""
    found = set()
    for route in iter_route_contexts(app.routes):
        path = f"{route.path}/x" if isinstance(route.original_route, Mount) else route.path
        methods = {"GET"} if isinstance(route.original_route, Mount) else route.methods or {"?"}
        found |= {f"{method} {path}" for method in methods - {"HEAD"}}
    return found


def test_every_route_has_a_scope_that_was_decided_on(app: FastAPI) -> None:
    assert routes(app) == set(NEEDS)
    assert {route: needed(*route.split(" ")) for route in routes(app)} == NEEDS


def test_a_route_that_nobody_decided_on_is_found() -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.add_api_route("/new", lambda: None, methods=["GET", "PUT"])
    app.add_api_websocket_route("/socket", lambda socket: None)
    assert routes(app) == {"GET /new", "PUT /new", "? /socket", "GET /openapi.json"}


def test_what_nobody_decided_on_needs_admin() -> None:
    for path in (
        "/new",
        "/denoiser",
        "//denoise",
        "/Models",
        "",
        "models",
        "/docs/",
        ASSETS,
        PAGE,
        "/healthz/",
    ):
        assert needed("GET", path) == "admin"
    assert needed("PUT", "/models") == needed("OPTIONS", "/models") == "admin"


def requests() -> Iterator[tuple[str, str, Scope]]:
    for route, scope in NEEDS.items():
        if scope is not None:
            method, path = route.split(" ")
            yield method, re.sub(r"\{\w+\}", "-", path), scope


@pytest.mark.parametrize(("method", "path", "scope"), list(requests()))
async def test_each_endpoint_asks_for_its_scope(
    method: str, path: str, scope: Scope, locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str]
) -> None:
    client, _ = locked
    refused = await client.request(method, path)
    problems.check(refused, 401, "key_missing", "Authorization: Bearer KEY")
    assert refused.headers["www-authenticate"] == 'Bearer realm="n2n"'
    for other in set(SCOPES) - {scope}:
        refused = await client.request(method, path, headers=bearer(keys[other]))
        problems.check(refused, 403, "scope_missing", f"lacks the scope '{scope}'", f"it has: {other}")
        assert f'error="insufficient_scope", scope="{scope}"' in refused.headers["www-authenticate"]
    let_in = await client.request(method, path, headers=bearer(keys[scope]))
    assert let_in.status_code not in (401, 403)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json"])
async def test_some_need_no_key(path: str, locked: tuple[httpx.AsyncClient, State]) -> None:
    assert (await locked[0].get(path)).status_code == 200
    assert (await locked[0].head(path)).status_code == 200


async def test_whoever_has_no_key_is_not_told_the_models(
    locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str]
) -> None:
    assert (await locked[0].get("/readyz")).json() == {
        "status": "ready", "models": None, "unavailable": None, "device": None,
    }  # fmt: skip


async def test_a_key_denoises_by_the_short_way_and_by_the_router(
    locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str]
) -> None:
    client, _ = locked
    for query in ("model=scratch", "model=scratch&timeout=9"):
        for headers, status in (({}, 401), (bearer(keys["train"]), 403), (bearer(keys["denoise"]), 200)):
            like = {"Content-Type": "image/png", **headers}
            answer = await client.post(f"/denoise?{query}", content=PNG, headers=like)
            assert answer.status_code == status


@pytest.mark.parametrize(
    "given",
    ["Bearer", "Bearer ", "Bearer n2n_x", "Bearer ü", "Bearer " + "x" * 5000, "bearer n2n_" + "A" * 43],
)
async def test_a_key_that_is_none_is_refused_and_not_told(
    given: str, locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str]
) -> None:
    answer = await locked[0].get("/models", headers=[(b"Authorization", given.encode())])
    problems.check(answer, 401, "key_unknown", "n2n keys add")
    assert answer.headers["www-authenticate"] == 'Bearer realm="n2n", error="invalid_token"'
    assert len(answer.text) < 500


@pytest.mark.parametrize("given", ["", "Basic bjJuOm4ybg==", "n2n_x", "Digest x"])
async def test_another_scheme_is_no_key(
    given: str, locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str]
) -> None:
    answer = await locked[0].get("/models", headers={"Authorization": given})
    problems.check(answer, 401, "key_missing")


async def test_the_scheme_is_read_in_any_case(
    locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str]
) -> None:
    for scheme in ("bearer", "BEARER", "Bearer  "):
        answer = await locked[0].get("/models", headers={"Authorization": f"{scheme} {keys['denoise']}"})
        assert answer.status_code == 200


async def test_nothing_is_read_of_a_body_that_is_not_let_in(
    locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str]
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"x"

    problems.check(await locked[0].post("/datasets", content=body()), 401, "key_missing")
    assert read == 0


async def test_a_key_counts_at_once_and_until_it_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.access.keyring.CHECK_SECONDS", 0)
    async with unstarted() as (client, state):
        assert (await client.get("/datasets")).status_code == 200
        keys = ApiKeys(state.jobs.database)
        secret = keys.add("me", ["train"])
        assert (await client.get("/datasets")).status_code == 401
        assert (await client.get("/datasets", headers=bearer(secret))).status_code == 200
        keys.remove("me")
        for headers in ({}, bearer(secret)):  # it does not open when its last key is gone
            assert (await client.get("/datasets", headers=headers)).status_code == 401


async def test_keys_stay_known_while_the_database_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with unstarted() as (client, state):
        secret = ApiKeys(state.jobs.database).add("me", ["train"])
        state.keyring.look()
        monkeypatch.setattr("service.access.keyring.CHECK_SECONDS", 0)
        with state.jobs.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE api_keys RENAME TO gone")
        assert (await client.get("/datasets", headers=bearer(secret))).status_code == 200
        assert (await client.get("/datasets")).status_code == 401
    assert "the API keys stay as they are" in caplog.text
    assert secret not in caplog.text


async def test_the_log_has_the_keys_name_and_never_the_key(
    locked: tuple[httpx.AsyncClient, State], keys: dict[Scope, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "n2n.access"):
        await locked[0].get("/models", headers=bearer(keys["denoise"]))
    assert [getattr(record, "key", None) for record in caplog.records] == ["denoise"]
    assert not any(secret in str(vars(record)) for secret in keys.values() for record in caplog.records)


def test_the_document_has_each_operations_scope_and_refusals(app: FastAPI) -> None:
    document = app.openapi()
    assert document["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"
    for route, scope in NEEDS.items():
        method, path = route.split(" ")
        operation: dict[str, Any] | None = document["paths"].get(path, {}).get(method.lower())
        if operation is not None:
            assert operation.get("security") == (None if scope is None else [{"apiKey": [scope]}, {}])
            assert ({"401", "403", "429"} <= set(operation["responses"])) == (scope is not None)


def test_authentication_stands_before_all_that_reads_or_answers() -> None:
    app = create_app(Settings(device="cpu", cors_origins=("https://example.org",)))
    layers = [getattr(layer.cls, "__name__", "") for layer in app.user_middleware]
    outer = ["RequestId", "Observe", "CrossSiteGuard", "cors", "Authentication"]
    assert layers == [*outer, "Head", "BodyLimit", "SmallPictures"]
