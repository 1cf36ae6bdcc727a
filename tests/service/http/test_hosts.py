"""Only requests for the service by its own names are answered."""

import httpx
import pytest

from tests.service import problems
from tests.service.serving import serving

pytestmark = pytest.mark.anyio


async def status(client: httpx.AsyncClient, host: str) -> int:
    return (await client.get("/healthz", headers={"Host": host})).status_code


async def test_a_foreign_host_is_refused_before_anything_else() -> None:
    async with serving(allowed_hosts=("localhost", "n2n.example.org")) as (client, _):
        for host in (
            "localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "127.9.9.9", "[::1]:80", "[::1]",
            "n2n.example.org", "N2N.example.org.:443",
        ):  # fmt: skip
            assert await status(client, host) == 200, host
        for host in (
            "evil.example", "localhost.evil.example", "n2n.example.org.evil", "10.0.0.1", "", "0.0.0.0",
            "localhost@evil.example",
        ):  # fmt: skip
            assert await status(client, host) == 421, host
        answer = await client.get("/models", headers={"Host": "evil.example"})
        problems.check(answer, 421, "misdirected_request", "'evil.example'", "localhost, n2n.example.org")
        assert "location" not in (await client.get("/models/", headers={"Host": "evil.example"})).headers
        twice = [("Host", "localhost"), ("Host", "evil.example")]
        problems.check(await client.get("/healthz", headers=twice), 400, "bad_request", "2 headers Host")


async def test_all_hosts_can_be_allowed() -> None:
    async with serving(allowed_hosts=("*",)) as (client, _):
        assert await status(client, "evil.example") == 200
