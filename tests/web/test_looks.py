"""The page's looks: WCAG AA in both themes, a phone's width, layout shifts, bytes loaded, screenshots."""

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks import page as measured
from tests.web.accessibility import violations
from tests.web.conftest import watched
from tests.web.screenshots import PICTURES
from tests.web.steps import choose, open_view, payload, wait_until


def shots(page: Page, name: str) -> None:
    """Take a screenshot in each theme."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.screenshot(path=PICTURES / f"{name}-{theme}.png")


@pytest.mark.slow
@pytest.mark.parametrize("width", ["desktop", "phone"])
def test_every_state_passes_axe_at_every_width(width: str, page: Page) -> None:
    if width == "phone":
        page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/")
    page.wait_for_load_state("networkidle")
    found = {"welcome": violations(page)}
    shots(page, f"welcome-{width}")
    page.get_by_role("button", name="A noisy photo").click()
    wait_until(page, "camera.png")
    choose(page, payload("broken.png", b"x"))
    wait_until(page, "broken.png", "failed")
    found["failed"] = violations(page)
    shots(page, f"failed-{width}")
    page.get_by_role("button", name="camera.png", exact=False).first.click()
    expect(page.locator(".compare")).to_have_class("compare has-after")
    found["denoised"] = violations(page)
    shots(page, f"denoised-{width}")
    page.get_by_role("link", name="Models").click()
    page.get_by_role("article", name="unet").get_by_text("Versions").click()
    expect(page.get_by_role("link", name="Version 1")).to_be_visible()
    found["models"] = violations(page)
    shots(page, f"models-{width}")
    assert {state: lines for state, lines in found.items() if lines} == {}
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_phone_has_all_of_it(browser: Browser, service_url: str) -> None:
    context = browser.new_context(
        base_url=service_url,
        viewport={"width": 360, "height": 740},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
    )
    with watched(context):
        page = context.new_page()
        open_view(page)
        choose(page, payload())
        wait_until(page, "a.png")
        for view in ("denoise", "models"):
            page.goto(f"/#/{view}")
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.goto("/#/denoise")
        page.get_by_role("button", name="1:1").tap()
        expect(page.locator(".zoom-figure")).to_have_text("100 %")  # of the screen's own pixels
    context.close()


def test_nothing_jumps_when_results_come(page: Page) -> None:
    open_view(page)
    page.wait_for_load_state("networkidle")
    page.evaluate(measured.SHIFTS)
    choose(page, payload("a.png"), payload("b.png"), payload("broken.png", b"x"))
    for name, state in (("a.png", "done"), ("b.png", "done"), ("broken.png", "failed")):
        wait_until(page, name, state)
    page.locator(".row-main").first.click()
    expect(page.locator(".compare")).to_have_class("compare has-after")
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifts") == []


def test_little_is_loaded_and_nothing_jumps_meanwhile(page: Page) -> None:
    page.goto("/")
    page.wait_for_load_state("networkidle")
    page.evaluate(measured.SHIFTS)
    page.wait_for_timeout(100)
    loaded = page.evaluate(measured.LOADED)
    assert 10_000 < loaded["bytes"] < 100_000
    assert sum(page.evaluate("window.shifts")) == 0


def test_dragging_the_line_draws_nothing_anew(page: Page) -> None:
    open_view(page)
    choose(page, payload())
    wait_until(page, "a.png")
    expect(page.locator(".compare")).to_have_class("compare has-after")
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    page.evaluate(
        """() => {
          window.drawn = 0;
          const draw = CanvasRenderingContext2D.prototype.drawImage;
          CanvasRenderingContext2D.prototype.drawImage = function (...given) {
            window.drawn += 1;
            return draw.apply(this, given);
          };
        }"""
    )
    frames = measured.drag(page, 0.5)
    assert frames.rate > 0
    assert page.evaluate("window.drawn") == 0
    page.keyboard.press("1")
    expect(page.locator(".zoom-figure")).to_have_text("100 %")
    page.wait_for_timeout(100)
    assert page.evaluate("window.drawn") > 0  # as zooming does


def test_the_theme_is_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Dark").check(force=True)
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    expect(page.get_by_label("Dark")).to_be_checked()
