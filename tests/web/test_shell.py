"""The frame around the views: how the page is served, and its addresses."""

import re

import httpx
from playwright.sync_api import Page, expect

from tests.web.steps import give, open_view, payload


def test_the_page_opens_with_its_first_view(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("."))
    expect(page.get_by_role("link", name="Denoise")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="Models").click()
    expect(page).to_have_title("Models · n2n")


def test_the_policy_is_strict(service_url: str) -> None:
    for path in ("/", "/web/js/app.js", "/web/style/base.css", "/web/icons.svg"):
        answer = httpx.get(service_url + path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-cache"


def test_a_view_that_is_left_while_it_loads_closes_no_other(page: Page) -> None:
    open_view(page)
    page.route("**/models", lambda route: None)  # until there is no such route any more
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    page.get_by_role("link", name="Denoise", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Denoise pictures")
    page.unroute("**/models")
    page.wait_for_load_state("networkidle")
    for name in ("Train", "Denoise"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("heading", level=1)).to_have_text("Denoise pictures")
    give(page, "drop", payload("once.png"))
    expect(page.locator(".row")).to_have_count(1)
