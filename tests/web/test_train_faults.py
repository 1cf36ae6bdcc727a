"""The page of a training while the service stops and starts again."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from n2n_core.models import weights
from tests.web.conftest import service, watched
from tests.web.training import ENDLESS, PATIENCE, await_job, grows, submit, upload, write_pairs

QUALITY = "PSNR on held-out pictures"


@pytest.mark.slow
def test_a_run_is_watched_on_after_the_service_came_back(browser: Browser, tmp_path: Path) -> None:
    weights.publish(weights.find("scratch").path, "scratch", "", None, tmp_path / "weights")
    quick = {"N2N_WEIGHTS": str(tmp_path / "weights"), "N2N_DEFAULT_MODEL": "scratch"}  # the least to start
    with service(tmp_path, settings=quick) as (url, _):
        job = submit(url, upload(url, write_pairs(tmp_path / "waves")), name="watched", epochs=ENDLESS)
        context = browser.new_context(base_url=url)
        context.set_default_timeout(PATIENCE)
        with watched(context):
            page = context.new_page()
            page.goto(f"/#/train/{job}")
            seen = grows(page, QUALITY, 2)
    expect(page.get_by_text("The service is not responding")).to_be_visible()
    with service(tmp_path, int(url.rpartition(":")[2]), quick):
        expect(page.get_by_text("The service is not responding")).to_be_hidden()
        grows(page, QUALITY, seen + 2)
        httpx.post(f"{url}/train-jobs/{job}/cancel")
        assert await_job(url, job)["state"] == "cancelled"
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        context.close()
