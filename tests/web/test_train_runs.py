"""The page of a training: live, stopped, resumed, looked at later, compared, deleted."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.web.accessibility import violations
from tests.web.screenshots import PICTURES, picture
from tests.web.training import ENDLESS, await_job, grows, points, submit


@pytest.fixture
def endless(service_url: str, dataset: str) -> Iterator[str]:
    """Id of a job that trains until the test is over."""
    job = submit(service_url, dataset, name="endless", epochs=ENDLESS)
    yield job
    httpx.post(f"{service_url}/train-jobs/{job}/cancel")
    await_job(service_url, job)


@pytest.fixture(scope="module")
def finished(service_url: str, dataset: str) -> list[str]:
    """Ids of two jobs that have succeeded, with different recipes."""
    jobs = [submit(service_url, dataset, name=f"done-{seed}", seed=seed, lr=0.002 / seed) for seed in (1, 2)]
    assert [await_job(service_url, job)["state"] for job in jobs] == ["succeeded"] * 2
    return jobs


@pytest.mark.slow
def test_a_run_is_live_in_two_tabs_and_is_stopped_and_resumed(
    page: Page, context: BrowserContext, endless: str
) -> None:
    page.goto(f"/#/train/{endless}")
    expect(page.get_by_text(re.compile(r" left$"))).to_be_visible()
    count = grows(page, "PSNR on held-out pictures", 2)
    other = context.new_page()
    other.goto("/#/train")
    row = other.get_by_role("link", name=re.compile("^endless"))
    expect(row).to_contain_text("Training")
    row.click()
    assert grows(other, "PSNR on held-out pictures", count - 1) >= count  # all that was before it looked
    grows(page, "PSNR on held-out pictures", count)
    other.get_by_role("button", name="Stop").click()
    for tab in (page, other):
        expect(tab.get_by_role("button", name="Resume")).to_be_visible()
    stopped = points(page, "PSNR on held-out pictures")
    page.locator("summary", has_text="Log").click()
    expect(page.get_by_label("Events")).to_contain_text("stopped after step")
    picture(page, "stopped")
    page.get_by_role("button", name="Resume").click()
    grows(page, "PSNR on held-out pictures", stopped)
    frames = page.get_by_role("list", name="Samples by epoch").get_by_role("button")
    expect(frames.first).to_have_text(re.compile(r"^Epoch 1[0-9.]+ dB$"))
    expect(page.get_by_label("Events")).to_contain_text("resumed after step")
    picture(page, "run")
    assert violations(page) == []


@pytest.mark.slow
def test_a_training_is_looked_at_later(page: Page, service_url: str, dataset: str) -> None:
    job = submit(service_url, dataset, name="looked-at")
    assert await_job(service_url, job)["state"] == "succeeded"
    page.goto(f"/#/train/{job}")
    expect(page.get_by_text("The model is served.")).to_be_visible()
    expect(page.get_by_role("link", name="Use this model")).to_be_visible()
    page.reload()
    frames = page.get_by_role("list", name="Samples by epoch").get_by_role("button")
    expect(frames).to_have_text([re.compile(f"^Epoch {epoch}[0-9.]+ dB$") for epoch in (1, 2, 3)])
    little = "It hardly denoises yet: train longer, or with more pictures."
    expect(page.get_by_text(little)).to_be_visible()
    metrics = httpx.get(f"{service_url}/models/looked-at").json()["metrics"]
    gain = metrics["psnr_estimate"] - metrics["noisy_psnr_estimate"]
    assert gain < 0  # after three epochs
    page.goto("/#/models")
    card = page.get_by_role("article", name="looked-at")
    expect(card).to_contain_text(f"\N{MINUS SIGN}{-gain:.2f} dB")
    expect(card).to_contain_text(little)
    page.locator(".model").first.screenshot(path=PICTURES / "models-shipped-card.png")
    card.screenshot(path=PICTURES / "models-own-card.png")
    page.goto(f"/#/train/{job}")
    page.get_by_role("link", name="Train longer").click()
    expect(page.get_by_label("Name of the model")).to_have_value("looked-at")
    expect(page.get_by_label("Start from")).to_have_value("looked-at")
    page.get_by_text("Epochs", exact=True).click()
    page.get_by_label("How long").fill("1")
    page.get_by_role("button", name="Start training").or_(page.get_by_role("button", name="despite")).click()
    expect(page.get_by_text("The model is served.")).to_be_visible()
    assert httpx.get(f"{service_url}/models/looked-at").json()["version"] == 2
    httpx.delete(f"{service_url}/models/looked-at").raise_for_status()
    page.goto(f"/#/train/{job}")
    expect(page.get_by_text("Its model was deleted.")).to_be_visible()
    expect(page.get_by_role("link", name="Use this model")).to_have_count(0)
    expect(page.get_by_role("button", name="Weights")).to_have_count(0)
    picture(page, "model-deleted")


@pytest.mark.slow
def test_runs_are_compared_and_deleted(page: Page, finished: list[str]) -> None:
    page.goto("/#/train")
    for name in ("done-1", "done-2"):
        page.get_by_label(f"Compare {name}").check()
    picture(page, "list")
    assert violations(page) == []
    page.get_by_role("link", name="Compare 2").click()
    expect(page.get_by_role("heading", name="2 trainings compared")).to_be_visible()
    assert grows(page, "PSNR on held-out pictures", 2) == 3
    expect(page.get_by_role("row", name=re.compile("^lr "))).to_contain_text("0.001")
    expect(page.get_by_role("row", name=re.compile("^batch size"))).to_have_count(0)
    picture(page, "compare")
    assert violations(page) == []
    page.goto(f"/#/train/{finished[0]}")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name=re.compile("^done-2"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^done-1"))).to_have_count(0)
