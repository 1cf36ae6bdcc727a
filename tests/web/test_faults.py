"""Faults around the page: cancelled work, a service that stops, API keys, two tabs."""

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from n2n_core.models import weights
from service.access.keys import ApiKeys
from service.storage.database import Database
from tests.pictures import drawn, file
from tests.web.conftest import service, watched
from tests.web.steps import choose, download, open_view, payload, row, wait_until
from tests.web.training import PATIENCE

LARGE = file(drawn("RGB", 900, 700))


def metric(url: str, pattern: str) -> float:
    """Return the sum of the service's metrics whose names match."""
    found = re.findall(rf"^{pattern} (\S+)$", httpx.get(f"{url}/metrics").text, re.MULTILINE)
    return sum(map(float, found))


def dropped(url: str) -> float:
    """Return how many pictures the service dropped because their clients hung up."""
    return metric(url, r'n2n_dropped_total\{.*reason="cancelled".*\}')


def test_cancel_ends_the_work_on_the_service(page: Page, service_url: str) -> None:
    before = dropped(service_url)
    open_view(page, "photo")
    page.get_by_role("switch", name="Self-ensemble").check()
    choose(page, payload("large.png", LARGE))
    wait_until(page, "large.png", "working")
    expect(page.locator(".pill")).to_contain_text("Denoising")
    page.get_by_role("button", name="Cancel", exact=True).click()
    wait_until(page, "large.png", "cancelled")
    expect(page.locator(".stage-message")).to_contain_text("Cancelled")
    for _ in range(100):
        if dropped(service_url) > before:
            break
        page.wait_for_timeout(100)
    assert dropped(service_url) > before
    page.get_by_role("switch", name="Self-ensemble").uncheck()
    page.get_by_role("button", name="Denoise it").click()
    wait_until(page, "large.png")


def test_two_tabs_work_side_by_side(context: BrowserContext) -> None:
    first, second = context.new_page(), context.new_page()
    for tab, name in ((first, "one.png"), (second, "two.png")):
        open_view(tab)
        choose(tab, payload(name))
    for tab, name in ((first, "one.png"), (second, "two.png")):
        wait_until(tab, name)
        expect(tab.locator(".row")).to_have_count(1)
        assert download(tab)[0] == name.replace(".png", "-denoised.png")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a service with one fast model."""
    folder = tmp_path_factory.mktemp("small")
    weights.publish(weights.find("scratch").path, "scratch", "", None, folder / "weights")
    return folder


def settings(folder: Path) -> dict[str, str]:
    return {
        "N2N_WEIGHTS": str(folder / "weights"),
        "N2N_DEFAULT_MODEL": "scratch",
        "N2N_TRAIN_CONCURRENCY": "0",
    }


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A page of a service that the test may stop."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    with watched(context):
        yield context.new_page()
    context.close()


@pytest.mark.slow
def test_the_page_waits_for_a_service_that_goes_away(small: Path, tab: Page) -> None:
    with service(small, settings=settings(small)) as (url, process):
        tab.goto(f"{url}/#/denoise?model=scratch")
        choose(tab, payload("before.png"))
        wait_until(tab, "before.png")
        process.send_signal(signal.SIGKILL)
        process.wait()
        choose(tab, payload("meanwhile.png"), payload("too.png"))
        expect(tab.locator("#connection")).to_be_visible()
        expect(tab.locator("#connection")).to_contain_text("Nothing is lost")
        expect(row(tab, "meanwhile.png")).to_contain_text("the service is not responding")
    with service(small, int(url.rpartition(":")[2]), settings(small)):
        for name in ("before.png", "meanwhile.png", "too.png"):
            wait_until(tab, name)
        expect(tab.locator("#connection")).to_be_hidden()
        ask_for_a_key(small, tab, url)


def ask_for_a_key(folder: Path, tab: Page, url: str) -> None:
    """Add a key to the service while the page is open: the page asks for it and continues."""
    keys = ApiKeys(Database(f"sqlite:///{folder / 'data' / 'n2n.db'}"))
    secret = keys.add("ada", ["denoise"])
    for _ in range(100):
        if httpx.get(f"{url}/models").status_code == 401:
            break
        tab.wait_for_timeout(100)
    choose(tab, payload("locked.png"))
    dialog = tab.get_by_role("dialog", name="This service needs an API key")
    dialog.get_by_label("API key").fill("n2n_wrong")
    dialog.get_by_role("button", name="Continue").click()
    expect(dialog).to_contain_text("The service does not recognise that key.")
    dialog.get_by_label("API key").fill(secret)
    dialog.get_by_role("button", name="Continue").click()
    wait_until(tab, "locked.png")
    tab.reload()
    choose(tab, payload("again.png"))
    wait_until(tab, "again.png")


@contextmanager
def busy(url: str) -> Iterator[None]:
    """Fill the service's queue with another client's large picture within the block."""
    address = httpx.URL(url)
    request = httpx.Request(
        "POST", f"{url}/denoise?self_ensemble=true", files={"file": file(drawn("L", 1600, 1200))}
    )
    head = f"POST {request.url.raw_path.decode()} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(f"{head}\r\n".encode() + request.read())
        connection.setblocking(False)
        while not metric(url, "n2n_pixels_waiting"):  # a picture of ours, waiting, would have it refused
            with pytest.raises(BlockingIOError):  # it is not answered yet
                connection.recv(1)
        yield


@pytest.mark.slow
def test_the_queue_waits_while_the_service_is_busy(small: Path, tab: Page, tmp_path: Path) -> None:
    with service(tmp_path, settings={**settings(small), "N2N_MAX_WAITING_PIXELS": "1000"}) as (url, _):
        tab.goto(f"{url}/#/denoise?model=scratch")
        with busy(url):
            choose(tab, payload("patient.png"))
            expect(row(tab, "patient.png")).to_contain_text("the service is busy")
        wait_until(tab, "patient.png")
