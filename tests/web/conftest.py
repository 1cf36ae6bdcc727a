"""A service in its own process, and the Chromium that is installed on the machine."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks import chromium
from tests.web.training import PATIENCE, upload, write_pairs

ROOT = Path(__file__).parents[2]
N2N = Path(sys.executable).with_name("n2n")
expect.set_options(timeout=PATIENCE)
SETTINGS = {"N2N_DEVICE": "cpu", "N2N_TRAIN_HEARTBEAT": "0.2", "N2N_TRAIN_LEASE": "5"}


@contextmanager
def service(
    folder: Path, port: int = 0, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the service in its own process, with its data in ``folder``; yield its address and the process."""
    variables = {**os.environ, **SETTINGS, "N2N_DATA": str(folder / "data"), **settings}
    command, log = [str(N2N), "serve", "--port", str(port)], folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, env=variables, stderr=output) as process:
        try:
            found = None
            while found is None:
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
                found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
            yield found[0], process
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def service_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the service that all tests share."""
    with service(tmp_path_factory.mktemp("service")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for one module: its event loop would disturb tests of other modules."""
    if chromium.find() is None:
        pytest.skip(chromium.MISSING)
    with chromium.running() as browser:
        yield browser


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of noisy pairs."""
    return write_pairs(tmp_path_factory.mktemp("pictures") / "waves")


@pytest.fixture(scope="module")
def dataset(service_url: str, shots: Path) -> str:
    """Id of the dataset made of ``shots``."""
    return upload(service_url, shots)


@pytest.fixture
def context(browser: Browser, service_url: str) -> Iterator[BrowserContext]:
    """A fresh browser profile. Fails the test if a page sends requests to other sites or logs errors."""
    context = browser.new_context(base_url=service_url, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    with watched(context):
        yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """An empty page: call ``page.goto("/")``."""
    return context.new_page()


@contextmanager
def watched(context: BrowserContext) -> Iterator[None]:
    """Fail on requests to other sites, errors in the console and violations of the security policy.

    The browser's own messages about failed requests are ignored, because pages report these themselves.
    """
    complaints: list[str] = []
    foreign: list[str] = []
    context.on("request", lambda request: foreign.append(request.url))
    context.on(
        "console",
        lambda message: (
            complaints.append(message.text)
            if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource")
            else None
        ),
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield
    own = re.compile(r"(blob:)?http://127\.0\.0\.1:\d+/|data:|about:")
    assert [url for url in foreign if not own.match(url)] == []
    assert complaints == []
