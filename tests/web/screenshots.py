"""Screenshots for people to look at."""

from pathlib import Path

from playwright.sync_api import Page

PICTURES = Path(__file__).parents[2] / "artifacts" / "web"


def picture(page: Page, name: str) -> None:
    """Take screenshots in both themes and at a phone's width."""
    size = page.viewport_size
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")  # the header is where the page is
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_timeout(100)
        page.screenshot(path=PICTURES / f"train-{name}-{theme}.png", full_page=True)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(200)
    page.screenshot(path=PICTURES / f"train-{name}-phone.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert size
    page.set_viewport_size(size)
    page.evaluate("scrollTo(0, 0)")  # or the browser corrects it amid the next click
