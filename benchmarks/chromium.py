"""Drive the installed Chromium with Playwright."""

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
    """Return the path of Chromium, or None if it is not installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def running(headless: bool = True) -> Iterator[Browser]:
    """Start Chromium, and close it at the end of the block.

    Raises:
        RuntimeError: Chromium is not installed.
    """
    path = find()
    if path is None:
        raise RuntimeError(MISSING)
    flags = ["--no-sandbox"] if os.getuid() == 0 else []  # Chromium refuses to start as root with its sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags, headless=headless)
        yield browser
        browser.close()
