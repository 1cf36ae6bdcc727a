"""Quotas of a key: rate, concurrent requests, and the RateLimit headers."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from n2n_client import Client
from service.access import quota
from service.access.keys import ApiKeys
from service.access.quota import QuotaError, Quotas
from service.api.dependencies import State
from tests.service import problems
from tests.service.access.test_access import bearer
from tests.service.serving import unstarted


class Clock:
    """Time that passes when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(quota, "monotonic", clock)
    return clock


def ask(quotas: Quotas, key: str = "k") -> str:
    with quotas.using(key) as headers:
        return headers["RateLimit"]


def test_as_many_as_the_rate_come_at_once_then_one_after_the_other(clock: Clock) -> None:
    quotas = Quotas(30, None)
    assert [ask(quotas) for _ in range(30)] == [f'"rate";r={left};t=2' for left in reversed(range(30))]
    with pytest.raises(
        QuotaError, match=r"than 30 requests per minute with this key \(N2N_KEY_RATE\)"
    ) as refused:
        ask(quotas)
    assert (refused.value.code, refused.value.seconds) == ("rate_exceeded", 2)
    assert refused.value.headers == {"RateLimit": '"rate";r=0;t=2', "RateLimit-Policy": '"rate";q=30;w=60'}
    clock.now += 0.5
    with pytest.raises(QuotaError) as refused:
        ask(quotas)
    assert refused.value.seconds == 2  # rounded up: never too early
    clock.now += 1.5
    assert ask(quotas) == '"rate";r=0;t=2'
    clock.now += 3600  # no more is saved up than the rate
    assert ask(quotas) == '"rate";r=29;t=2'


def test_each_key_has_a_quota_of_its_own(clock: Clock) -> None:
    quotas = Quotas(1, None)
    ask(quotas)
    ask(quotas, "other")
    with pytest.raises(QuotaError):
        ask(quotas)


def fail(quotas: Quotas) -> None:
    with quotas.using("k") as headers:
        assert headers["RateLimit"] == '"concurrency";r=0'
        with pytest.raises(QuotaError, match="1 requests with this key are in progress") as refused:
            ask(quotas)
        assert (refused.value.code, refused.value.seconds) == ("concurrency_exceeded", 1)
        raise ZeroDivisionError


def test_what_ended_badly_is_not_under_way_any_more() -> None:
    quotas = Quotas(None, 1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail(quotas)


def test_without_limits_there_are_no_headers() -> None:
    with Quotas(None, None).using("k") as headers:
        assert headers == {}


async def key(state: State) -> dict[str, str]:
    secret = ApiKeys(state.jobs.database).add("me", ["train"])
    state.keyring.look()
    return bearer(secret)


@pytest.mark.anyio
async def test_answers_tell_the_quota_and_refusals_when_to_come_back() -> None:
    async with unstarted(key_rate=2, key_concurrency=4) as (client, state):
        mine = await key(state)
        answers = [await client.get("/datasets", headers=mine) for _ in range(3)]
        refused = problems.check(answers[2], 429, "rate_exceeded", "2 requests per minute")
        assert refused.title == "Too Many Requests"
        assert [answer.headers["ratelimit"] for answer in answers] == [
            '"rate";r=1;t=30, "concurrency";r=3', '"rate";r=0;t=30, "concurrency";r=3',
            '"rate";r=0;t=30, "concurrency";r=4',
        ]  # fmt: skip
        policy = '"rate";q=2;w=60, "concurrency";q=4;qu="concurrent-requests"'
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {policy}
        assert answers[2].headers["retry-after"] == "30"
        assert "ratelimit" not in (await client.get("/healthz")).headers
        assert "ratelimit" not in (await client.get("/datasets")).headers  # 401: of nobody


@pytest.mark.anyio
async def test_more_at_a_time_than_a_key_may_are_refused_and_the_others_answered() -> None:
    async with unstarted(key_concurrency=2) as (client, state):
        mine, go_on, reading = await key(state), asyncio.Event(), asyncio.Semaphore(0)

        async def body() -> AsyncIterator[bytes]:
            reading.release()
            await go_on.wait()
            yield b"{}"

        async def submit() -> int:
            like = {"Content-Type": "application/json", **mine}
            return (await client.post("/train-jobs", content=body(), headers=like)).status_code

        under_way = [asyncio.create_task(submit()) for _ in range(2)]
        for _ in under_way:
            await reading.acquire()
        answer = await client.get("/datasets", headers=mine)
        problems.check(answer, 429, "concurrency_exceeded", "at most 2 (N2N_KEY_CONCURRENCY)")
        assert answer.headers["retry-after"] == "1"
        go_on.set()
        assert await asyncio.gather(*under_way) == [422, 422]
        assert (await client.get("/datasets", headers=mine)).status_code == 200


def test_the_headers_are_structured_fields() -> None:
    """By RFC 9651's grammar, as far as the draft uses it: a list of strings with parameters."""
    parameter = r';[a-z]+=(?:\d+|"[a-z-]+")'
    item = rf'"[a-z]+"(?:{parameter})+'
    with Quotas(60, 3).using("k") as headers:
        for name in ("RateLimit", "RateLimit-Policy"):
            assert re.fullmatch(rf"{item}(?:, {item})*", headers[name])


def test_the_client_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("n2n_client.transport.sleep", waited.append)
    body: dict[str, Any] = {"code": "rate_exceeded", "detail": "too many"}
    answers = [
        httpx.Response(429, json=body, headers={"Retry-After": "7"}),
        httpx.Response(200, content=b"x"),
    ]
    with Client("http://n2n") as client:
        client._transport.http._transport = httpx.MockTransport(lambda request: answers.pop(0))
        client._transport.http._mounts = {}
        assert client.denoise(b"x") == b"x"
    assert waited == [7]
