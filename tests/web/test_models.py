"""The view of the models: their cards and buttons."""

import re
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from n2n_core.models import weights
from tests.web.steps import choose, payload, wait_until

SCRATCH = weights.find("scratch").path.read_bytes()


def test_every_model_has_a_card_with_its_figures(page: Page, service_url: str) -> None:
    models = httpx.get(f"{service_url}/models").json()["models"]
    page.goto("/#/models")
    expect(page.locator(".model")).to_have_count(len(models))
    for model in (each for each in models if each["source"] == "shipped"):
        card = page.get_by_role("article", name=model["name"])
        gain = model["metrics"]["psnr"] - model["metrics"]["noisy_psnr"]
        expect(card).to_contain_text(f"+{gain:.2f} dB")
        expect(card).to_contain_text(f"{model['parameters']:,}")
        expect(card).to_contain_text(model["sha256"][:12])
        expect(card.get_by_role("button", name="Delete")).to_have_count(0)  # they are shipped
    assert page.get_by_role("article", name="torch").get_by_text("default").count() == 1


def test_weights_are_downloaded_as_they_are(page: Page) -> None:
    page.goto("/#/models")
    with page.expect_download() as saved:
        page.get_by_role("article", name="scratch").get_by_role("button", name="Weights").click()
    assert saved.value.suggested_filename == "scratch-1.safetensors"
    assert Path(saved.value.path()).read_bytes() == SCRATCH


def test_a_model_comes_is_used_changed_and_deleted(page: Page, service_url: str) -> None:
    page.goto("/#/models")
    for _ in range(2):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Upload weights").click()
        with page.expect_response(re.compile(r"/versions")):
            chooser.value.set_files(
                {"name": "My Model.safetensors", "mimeType": "", "buffer": SCRATCH},
            )
        expect(page.locator("#spoken")).to_have_text("my-model is served")
        page.evaluate("document.getElementById('spoken').textContent = ''")
    card = page.get_by_role("article", name="my-model")
    expect(card).to_contain_text("version 2")
    expect(card).to_contain_text("uploaded")
    card.get_by_text("Versions").click()
    card.get_by_role("button", name="Promote version 1").click()
    expect(card).to_contain_text("version 1")
    assert httpx.get(f"{service_url}/models/my-model").json()["version"] == 1

    card.get_by_role("link", name="Use this model").click()
    expect(page.get_by_role("combobox", name="Model")).to_have_value("my-model")
    choose(page, payload())
    wait_until(page, "a.png")
    expect(page.locator(".facts")).to_contain_text("my-model v1")

    page.get_by_role("link", name="Models").click()
    card.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone")
    dialog.get_by_role("button", name="Keep it").click()
    expect(card).to_be_visible()
    card.get_by_role("button", name="Delete", exact=True).click()
    dialog.get_by_role("button", name="Delete").click()
    expect(card).to_have_count(0)
    assert httpx.get(f"{service_url}/models/my-model").status_code == 404


def test_what_is_no_model_is_refused_in_plain_words(page: Page) -> None:
    page.goto("/#/models")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload weights").click()
    chooser.value.set_files({"name": "x.safetensors", "mimeType": "", "buffer": b"not weights"})
    expect(page.get_by_role("alert")).to_contain_text("safetensors")
