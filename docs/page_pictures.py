"""Makes the README's pictures of the page, ``page-*.png``, by Chromium: ``python docs/page_pictures.py``."""

import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from benchmarks.chromium import running
from benchmarks.reliability.service import Service

FOLDER = Path(__file__).parent
SIZE = {"width": 1120, "height": 680}
COLOURS = 256


def main() -> None:
    """Start a service, look at its page, and end it."""
    with (
        tempfile.TemporaryDirectory() as data,
        Service(Path(data), {"train_concurrency": 0}) as service,
        running() as browser,
    ):
        page = browser.new_page(base_url=service.url, viewport=SIZE)  # type: ignore[arg-type]
        for name, theme, show in (("denoise", "light", denoise), ("models", "dark", models)):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            show(page)
            page.wait_for_timeout(500)
            shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
            shot.quantize(palette=shot.quantize(COLOURS), dither=Image.Dither.FLOYDSTEINBERG).save(
                FOLDER / f"page-{name}.png", optimize=True
            )


def denoise(page: Page) -> None:
    """Both samples, one of them on view."""
    page.goto("/#/denoise")
    for sample in ("camera", "render"):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Add", exact=True).click()
        chooser.value.set_files(FOLDER.parent / "service" / "web" / "samples" / f"{sample}.png")
    page.locator(".row[data-state=done]").nth(1).wait_for()
    page.locator(".row-main").first.click()
    page.mouse.move(0, 0)


def models(page: Page) -> None:
    """The cards."""
    page.goto("/#/models")
    page.locator(".model").nth(3).wait_for()


if __name__ == "__main__":
    main()
