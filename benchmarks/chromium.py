"""The machine's own Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = (
    f"needs Chromium, which is not installed: none of {', '.join(NAMES)} is found (apt-get install chromium)"
)


def find() -> str | None:
    """Its path, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running(headless: bool = True) -> Iterator[Browser]:
    """Start it, and end it afterwards.

    Raises:
        RuntimeError: there is none.
    """
    path = find()
    if path is None:
        raise RuntimeError(MISSING)
    flags = ["--no-sandbox"] if os.getuid() == 0 else []  # which it refuses to start with, for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags, headless=headless)
        yield browser
        browser.close()
