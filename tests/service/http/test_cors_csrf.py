"""Headers for browsers, and requests from pages of other sites."""

import re
from base64 import b64encode
from hashlib import sha256

import httpx
import pytest
from starlette.responses import Response

from service.http.cors_csrf import CrossSiteGuard
from tests.pictures import drawn, file
from tests.service import problems
from tests.service.serving import unstarted

pytestmark = pytest.mark.anyio
OWN, OTHER = "http://n2n", "https://evil.example"


@pytest.mark.parametrize(
    "path", ["/healthz", "/models", "/docs", "/nowhere", "/metrics", "/openapi.json", "/"]
)
async def test_no_answers_type_is_guessed(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).headers.get_list("x-content-type-options") == ["nosniff"]


async def test_nor_is_a_pictures_or_a_failures(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    like = {"Content-Type": "image/png"}
    answer = await client.post("/denoise?model=scratch", content=file(drawn("RGB")), headers=like)
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    monkeypatch.setattr("service.api.models._describe", None)
    failed = await client.get("/models")
    problems.check(failed, 500, "internal_error")
    assert failed.headers["x-content-type-options"] == "nosniff"


async def test_the_docs_page_runs_its_own_script_and_no_other(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    scripts = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert len(digests) == 1
    assert policy["script-src"] == f"'self' 'sha256-{digests[0]}'"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-frame-options"] == "DENY"


async def test_the_docs_page_needs_no_other_site(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    found = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
    kinds = {"js": "javascript", "css": "text/css", "png": "image/png"}
    assert len(found) == 3
    for path in found:
        answer = await client.get(path)  # a path, as another site's address would not be found here
        assert path.startswith("/docs/assets/")
        assert answer.status_code == 200
        assert kinds[path.rpartition(".")[2]] in answer.headers["content-type"]
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize("path", ["../main.py", "..%2fmain.py", "%2e%2e/main.py", "/etc/passwd", "x%00y"])
async def test_only_the_docs_files_are_there(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/docs/assets/{path}")).status_code == 404


async def test_a_plot_that_a_browser_opens_runs_nothing(client: httpx.AsyncClient) -> None:
    drawing = CrossSiteGuard(Response("<svg/>", media_type="image/svg+xml"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(drawing), base_url=OWN) as browser:
        answer = await browser.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": OTHER},
        {"Origin": "null"}, {"Origin": "http://n2n:81"}, {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
    ],
)  # fmt: skip
async def test_a_change_that_another_site_asks_for_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for method, path in (("POST", "/models/torch/promote"), ("DELETE", "/models/none"), ("POST", "/denoise")):
        answer = await client.request(method, path, headers=headers)
        problems.check(answer, 403, "cross_site", "N2N_CORS_ORIGINS")
    assert (await client.get("/models", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": OWN}]
)
async def test_our_own_pages_and_programs_may_ask_for_changes(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    problems.check(await client.delete("/models/none", headers=headers), 404, "unknown_model")


async def test_no_other_origin_reads_answers_unless_it_is_named(client: httpx.AsyncClient) -> None:
    asked = {"Origin": OTHER, "Access-Control-Request-Method": "POST"}
    for answer in (
        await client.get("/models", headers={"Origin": OTHER}),
        await client.options("/denoise", headers=asked),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert (await client.options("/denoise", headers=asked)).status_code == 405


@pytest.mark.parametrize("origins", [("https://mine.example", "http://localhost:3000"), ("*",)])
async def test_named_origins_may_ask_and_read(origins: tuple[str, ...]) -> None:
    mine = {"Origin": "https://mine.example", "Sec-Fetch-Site": "cross-site"}
    async with unstarted(cors_origins=origins) as (client, _):
        asked = {
            "Origin": "https://mine.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
        }
        preflight = await client.options("/train-jobs", headers=asked)
        assert preflight.status_code == 200
        answer = await client.post("/train-jobs", json={}, headers=mine)
        problems.check(answer, 422, "bad_request")
        for each in (preflight, answer):
            assert each.headers["access-control-allow-origin"] in origins
            assert "access-control-allow-credentials" not in each.headers
        assert "RateLimit" in answer.headers["access-control-expose-headers"]
        if origins != ("*",):
            other = await client.get("/datasets", headers={"Origin": OTHER})
            assert "access-control-allow-origin" not in other.headers
            problems.check(await client.delete("/models/x", headers={"Origin": OTHER}), 403, "cross_site")
