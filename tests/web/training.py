"""Trainings for the page's tests: pictures, jobs, and the values of charts."""

import time
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Page

from n2n_core.image.rounding import to_bytes
from tests.scenes import noisy, smooth

ENDLESS = 100_000
PATIENCE = 60_000
"""Milliseconds. Trainers start within seconds, later on busy machines."""


def write_pairs(folder: Path, count: int = 20, copies: bool = False) -> Path:
    """Write two folders of shots of 32 x 32 pixels; with ``copies``, the second shots equal the first."""
    first, second = (to_bytes(shot) for shot in noisy(smooth(count, 32, 32), 2))
    for name, shots in (("first", first), ("second", first if copies else second)):
        (folder / name).mkdir(parents=True)
        for number, shot in enumerate(shots):
            Image.fromarray(shot.permute(1, 2, 0).numpy()).save(folder / name / f"{number:03}.png")
    return folder


def upload(url: str, folder: Path) -> str:
    """Upload the pictures of ``write_pairs``, and return the dataset's id."""
    files = [
        ("file", (f"{path.stem}_{path.parent.name}.png", path.read_bytes()))
        for path in sorted(folder.rglob("*.png"))
    ]
    form = {"kind": "pairs", "name": "waves by name"}
    answer = httpx.post(f"{url}/datasets", data=form, files=files, timeout=60)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


def submit(url: str, dataset: str, **recipe: Any) -> str:
    """Submit a job, by default a short one, and return its id."""
    order = {"dataset": dataset, "model": "scratch", "epochs": 3, "batch_size": 8, "force": True, **recipe}
    answer = httpx.post(f"{url}/train-jobs", json=order)
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    return job


def await_job(url: str, job: str) -> dict[str, Any]:
    """Wait until the job is done, and return it."""
    for _ in range(10):
        answer: dict[str, Any] = httpx.get(
            f"{url}/train-jobs/{job}", headers={"Prefer": "wait=30"}, timeout=60
        ).json()
        if answer["done"]:
            return answer
    raise AssertionError(f"waited in vain: {answer}")


def points(page: Page, chart: str) -> int:
    """Return how many values a chart has, from its table."""
    table = page.get_by_role("region", name=chart).locator(".chart-table")
    if table.get_attribute("open") is None:
        table.locator("summary").click()
    return table.locator("tbody tr").count()


def grows(page: Page, chart: str, beyond: int) -> int:
    """Wait until a chart has more values than that."""
    deadline = time.monotonic() + PATIENCE / 1000
    while (count := points(page, chart)) <= beyond:
        assert time.monotonic() < deadline, f"{chart} still has {count} values"
        page.wait_for_timeout(100)
    return count
