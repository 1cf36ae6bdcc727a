"""Pictures in, denoised pictures out: downloads are the bytes that the service sends."""

import re
import zipfile
from io import BytesIO

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page, expect

from tests.pictures import drawn, file
from tests.web.steps import NOISY, answer, choose, download, give, middle, open_view, payload, row, wait_until

ASKED = re.compile(r"/denoise\?")
OLD = re.compile("is-old")


@pytest.mark.parametrize(
    ("name", "type", "content"),
    [
        ("a.png", "image/png", NOISY),
        ("b.jpg", "image/jpeg", file(drawn("RGB", 90, 70), "jpeg", quality=90)),
        ("c.webp", "image/webp", file(drawn("RGBA", 64, 48), "webp", lossless=True)),
        ("grey16.png", "image/png", file(drawn("I;16", 48, 40))),
        ("grey16.tif", "image/tiff", file(drawn("I;16", 48, 40), "tiff")),
    ],
)
def test_what_is_saved_is_the_services_answer(
    name: str, type: str, content: bytes, page: Page, service_url: str
) -> None:
    open_view(page)
    choose(page, payload(name, content, type))
    wait_until(page, name)
    base, suffix = name.split(".")
    saved, found = download(page)
    assert saved == f"{base}-denoised.{suffix.replace('tif', 'tiff')}"
    assert found == answer(service_url, content)


def test_a_tiff_is_shown_though_the_browser_cannot_read_it(page: Page) -> None:
    open_view(page)
    choose(page, payload("grey16.tif", file(drawn("I;16", 48, 40), "tiff"), "image/tiff"))
    wait_until(page, "grey16.tif")
    expect(page.locator(".compare")).to_have_class("compare has-after")
    expect(page.locator(".facts")).to_contain_text(re.compile("48 . 40, 16 bit"))
    assert len({red for red, *_ in middle(page, ".layer")}) > 10
    expect(row(page, "grey16.tif").locator("canvas")).to_be_visible()


def test_a_tiff_of_several_pages_is_denoised_and_not_shown(page: Page, service_url: str) -> None:
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        np.random.default_rng(0).integers(0, 255, (3, 32, 40), dtype=np.uint8),
        photometric="minisblack",
    )
    open_view(page)
    sent = list[str]()
    page.on("request", lambda request: sent.append(request.url) if "report=" in request.url else None)
    choose(page, payload("stack.tif", buffer.getvalue(), "image/tiff"))
    wait_until(page, "stack.tif")
    expect(page.get_by_text("The download has all of them.")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text(re.compile("Noise of page 1.*40 . 32, 8 bit, 3 pages"))
    assert len(sent) == 1
    assert download(page)[1] == answer(service_url, buffer.getvalue())


def test_the_strength_is_seen_at_once_and_saved_as_the_service_blends(page: Page, service_url: str) -> None:
    open_view(page)
    choose(page, payload())
    wait_until(page, "a.png")
    strong = middle(page, ".clip canvas")
    page.get_by_label("Strength").fill("40")
    assert middle(page, ".clip canvas") != strong
    assert download(page)[1] == answer(service_url, NOISY, strength=0.4)
    page.get_by_label("Strength").fill("0")
    assert middle(page, ".clip canvas") == middle(page, ".layer")


def test_options_reach_the_service(page: Page, service_url: str) -> None:
    open_view(page)
    choose(page, payload())
    wait_until(page, "a.png")
    expect(page.get_by_role("button", name="Uncertainty")).to_be_disabled()
    page.get_by_role("switch", name="Self-ensemble").check()
    page.get_by_label("Save as").select_option("webp")
    expect(page.get_by_role("button", name="Uncertainty")).to_be_enabled()
    wait_until(page, "a.png")
    name, found = download(page)
    assert name == "a-denoised.webp"
    assert found == answer(service_url, NOISY, self_ensemble=True, format="webp")
    page.get_by_role("button", name="Uncertainty").click()
    expect(page.locator(".side.after")).to_contain_text("Uncertainty")


def test_another_model_denoises_all_anew(page: Page, service_url: str) -> None:
    open_view(page)
    choose(page, payload("a.png"), payload("b.png"))
    for name in ("a.png", "b.png"):
        wait_until(page, name)
    line = page.locator(".facts")
    expect(line).not_to_have_class(OLD)
    page.route(ASKED, lambda route: None)  # until there is no such route any more
    page.get_by_role("combobox", name="Model").select_option("unet")
    expect(line).to_have_class(OLD)
    expect(line).to_contain_text("scratch v1")
    page.unroute(ASKED)
    expect(line).to_contain_text("unet v1")
    expect(line).not_to_have_class(OLD)
    for name in ("a.png", "b.png"):
        wait_until(page, name)
    assert download(page)[1] == answer(service_url, NOISY, model="unet")


def test_several_are_saved_together(page: Page, service_url: str) -> None:
    others = [file(drawn("RGB", 40 + 8 * i, 32, seed=i)) for i in range(3)]
    open_view(page)
    choose(page, *(payload("same.png", content) for content in others), payload("broken.png", b"x"))
    expect(page.locator(".row[data-state=done]")).to_have_count(3)
    name, content = download(page, "Download all")
    assert name == "denoised.zip"
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["same-denoised.png", "same-denoised-2.png", "same-denoised-3.png"]
        found = [archive.read(entry) for entry in archive.namelist()]
    assert found == [answer(service_url, content) for content in others]


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_pictures_are_pasted_and_dropped(way: str, page: Page) -> None:
    open_view(page)
    give(page, way, payload("one.png"), payload("two.png"))
    for name in ("one.png", "two.png"):
        wait_until(page, name)
    assert not page.locator(".drop-cover").count()


def test_a_broken_file_is_told_in_plain_words_and_spoils_no_other(page: Page) -> None:
    open_view(page)
    choose(page, payload("broken.png", NOISY[:200]), payload("good.png"))
    wait_until(page, "good.png")
    wait_until(page, "broken.png", "failed")
    message = page.locator(".stage-message")
    expect(message).to_contain_text("This file cannot be read as a picture")
    expect(message).to_contain_text("Supported formats: PNG, JPEG, WebP, TIFF and BMP.")
    expect(message.get_by_role("button", name="Try again")).to_have_count(0)
    expect(page.locator("#spoken")).to_contain_text("broken.png")
    message.get_by_role("button", name="Remove").click()
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator(".compare")).to_have_class("compare has-after")


def test_a_sample_needs_no_picture_of_ones_own(page: Page) -> None:
    page.goto("/")
    page.wait_for_load_state("networkidle")  # the models are listed
    page.get_by_role("button", name="A noisy render").press("Enter")
    wait_until(page, "render.png")
    expect(page.locator(".compare")).to_be_focused()
    expect(page.locator(".facts")).to_contain_text("unet v1")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("auto")
    choose(page, payload())
    wait_until(page, "a.png")
    row(page, "a.png").locator(".row-main").click()
    expect(page.locator(".facts")).to_contain_text("photo v")


@pytest.mark.parametrize("sample", ["photo", "render"])
def test_a_sample_goes_through_the_model_that_was_chosen(sample: str, page: Page) -> None:
    open_view(page)
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name=f"A noisy {sample}").click()
    expect(page.locator(".row")).to_have_attribute("data-state", "done")
    expect(page.locator(".facts")).to_contain_text("scratch v")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("scratch")


def test_the_queue_outlives_a_visit_to_another_view(page: Page) -> None:
    open_view(page)
    choose(page, payload())
    wait_until(page, "a.png")
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    page.get_by_role("link", name="Denoise", exact=True).click()
    wait_until(page, "a.png")
    expect(page.locator(".compare")).to_have_class("compare has-after")
