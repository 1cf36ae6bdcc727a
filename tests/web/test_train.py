"""A new training: from dropped pictures to a model that is used, as a visitor sees it."""

import re
import shutil
import zipfile
from pathlib import Path

import httpx
import tifffile
from playwright.sync_api import BrowserContext, Page, expect

from n2n_core.models import architectures
from tests.pictures import drawn, file
from tests.scenes import noisy, smooth
from tests.web.accessibility import violations
from tests.web.screenshots import PICTURES, picture
from tests.web.steps import choose, payload
from tests.web.training import PATIENCE, grows, write_pairs


def test_pairs_become_a_model_that_is_used(page: Page, shots: Path) -> None:
    page.goto("/#/train")
    page.get_by_role("link", name="New training").first.click()
    page.set_input_files("#folder", shots)
    expect(page.get_by_text("20 scenes, 40 pictures of 32")).to_be_visible()
    expect(page.get_by_role("img", name="Difference, scene 1", exact=True)).to_be_visible()
    expect(page.get_by_label("Name of the model")).to_have_value("waves")
    page.get_by_label("Name of the model").fill("from-the-page")
    page.get_by_label("Strided auto-encoder").check()
    page.get_by_text("Epochs", exact=True).click()
    page.get_by_label("How long").fill("3")
    page.get_by_text("More settings").click()
    page.get_by_label("Batch size").fill("8")
    picture(page, "new")
    assert violations(page) == []
    page.get_by_role("button", name="Start training").click()
    use = page.get_by_role("link", name="Use this model")
    expect(use).to_be_visible(timeout=2 * PATIENCE)
    assert grows(page, "PSNR on held-out pictures", 2) == 3
    grows(page, "Loss", 0)
    expect(page.get_by_text("The loss stops near")).to_be_visible()
    expect(page.locator(".tile", has_text="Best PSNR")).to_contain_text(" dB")
    film = page.get_by_role("list", name="Samples by epoch")
    expect(film.get_by_role("img", name="Denoised picture")).to_have_count(3)
    film.get_by_role("button", name="Epoch 3").click()
    expect(page.get_by_role("img", name="Other shot, picture 1")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("heading", name="Epoch 2")).to_be_visible()
    page.keyboard.press("Escape")
    with page.expect_download() as weights:
        page.get_by_role("button", name="Weights").click()
    assert weights.value.suggested_filename == "from-the-page.safetensors"
    assert weights.value.path().read_bytes()[8:9] == b"{"
    use.click()
    expect(page).to_have_url(re.compile("#/denoise\\?model=from-the-page$"))
    with page.expect_response(lambda answer: "/denoise?" in answer.url) as answered:
        choose(page, payload())
    assert answered.value.headers["n2n-model"].startswith("from-the-page")


def test_the_page_offers_what_the_service_trains(page: Page, dataset: str) -> None:
    page.goto(f"/#/train/new?dataset={dataset}")
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    offered = page.locator("input[name=model]").evaluate_all("inputs => inputs.map(input => input.value)")
    assert set(offered) == set(architectures.MODELS)
    expect(page.get_by_label("Or use pictures that were uploaded before")).to_have_value(dataset)


def test_a_name_that_cannot_be_is_told_with_one_that_can(page: Page, dataset: str) -> None:
    page.goto(f"/#/train/new?dataset={dataset}")
    name = page.get_by_label("Name of the model")
    name.fill("My Stars")
    problem = page.get_by_text("“My Stars” cannot be a name")
    expect(problem).to_contain_text("lowercase letters a\N{EN DASH}z, digits, dots, dashes and underscores")
    expect(problem).to_contain_text("Try “my-stars”.")
    page.get_by_role("button", name="Start training").click()
    expect(name).to_be_focused()
    covered = "document.querySelector('.bar').getBoundingClientRect().bottom"
    shown = page.evaluate("document.getElementById('name').getBoundingClientRect().top")
    assert shown > page.evaluate(covered)
    page.screenshot(path=PICTURES / "train-name.png")
    name.fill("my-stars")
    expect(page.locator("#name-problem")).to_be_hidden()


def test_files_that_are_no_pictures_are_named(page: Page, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "mixed", count=4)
    for name in ("first/m31.fits", "notes.txt"):
        (folder / name).write_bytes(b"SIMPLE  =")
    page.goto("/#/train/new")
    page.set_input_files("#folder", folder)
    told = page.locator(".upload-status")
    expect(told).to_contain_text("2 files were left out")
    expect(told).to_contain_text("mixed/first/m31.fits, mixed/notes.txt")
    expect(page.get_by_text("4 scenes, 8 pictures")).to_be_visible()
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    page.set_input_files("#files", archive)
    checks = page.get_by_role("list", name="Checks")
    expect(checks).to_contain_text(
        "2 files were left out because they are not readable pictures: first/m31.fits, notes.txt"
    )


def test_floats_get_their_white_and_pictures_are_removed(
    page: Page, tmp_path: Path, service_url: str
) -> None:
    shots = [60 * shot for shot in noisy(smooth(4, 32, 32), 2)]
    (tmp_path / "counts").mkdir()
    for shot, name in zip(shots, "ab", strict=True):
        for number, scene in enumerate(shot):
            tifffile.imwrite(tmp_path / "counts" / f"{number}_{name}.tif", scene[0].numpy())
    page.goto("/#/train/new")
    page.set_input_files("#folder", tmp_path / "counts")
    expect(page.get_by_role("alert")).to_contain_text("data range")
    page.get_by_label("Value of white").fill("60")  # its place has opened
    page.set_input_files("#folder", tmp_path / "counts")
    expect(page.get_by_text("4 scenes, 8 pictures")).to_be_visible()
    dataset = page.get_by_label("Or use pictures that were uploaded before").input_value()
    page.get_by_role("button", name="Remove", exact=True).click()
    dialog = page.get_by_role("dialog", name="Remove these pictures from the service?")
    expect(dialog).to_contain_text("counts: ")
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("4 scenes, 8 pictures")).to_be_hidden()
    expect(page.locator(f"option[value='{dataset}']")).to_have_count(0)
    assert httpx.get(f"{service_url}/datasets/{dataset}").status_code == 404


def test_the_buttons_for_files_are_those_that_are_seen(page: Page) -> None:
    page.goto("/#/train/new")
    buttons = page.locator(".drop").get_by_role("button")
    expect(buttons).to_have_text(["Choose files", "Choose a folder"])
    assert "Files or archives" not in page.locator(".drop").aria_snapshot()


def test_copies_are_refused_with_the_reason(page: Page, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "copies", copies=True)
    page.goto("/#/train/new")
    page.set_input_files("#folder", folder)
    expect(page.get_by_text("These pictures cannot be used for training.")).to_be_visible()
    check = page.get_by_role("listitem").filter(has_text="Two different shots")
    expect(check).to_contain_text("Cannot be used")
    expect(check).to_contain_text("What to do: Take two different shots of each scene")
    expect(page.get_by_role("img", name="Difference, scene 1", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_hidden()
    picture(page, "refused")
    assert violations(page) == []


def test_files_that_are_no_pairs_are_refused_in_plain_words(page: Page, shots: Path) -> None:
    page.goto("/#/train/new")
    page.set_input_files("#files", sorted((shots / "first").iterdir())[:3])
    expect(page.get_by_role("alert")).to_contain_text("expected two folders with equal file names")
    page.get_by_label("Bursts").check()
    expect(page.get_by_text("A folder for each scene, or names such as")).to_be_visible()


def test_clean_pictures_and_an_archive(page: Page, tmp_path: Path, service_url: str) -> None:
    archive = tmp_path / "clean ones.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for number in range(4):
            out.writestr(f"{number}.png", file(drawn(width=48, height=48, seed=number)))
    page.goto("/#/train/new")
    page.get_by_label("Clean pictures").check()
    page.get_by_label("Noise to add").select_option(label="Gaussian, one level")
    page.get_by_label("Standard deviation").fill("51")
    page.set_input_files("#files", archive)
    expect(page.get_by_text("4 scenes, 4 pictures of 48")).to_be_visible()
    found = httpx.get(f"{service_url}/datasets?page_size=1").json()["datasets"][0]
    assert (found["kind"], found["name"]) == ("clean", "clean ones")
    assert found["options"]["corruption"] == {"name": "gaussian", "sigma": 0.2}


def test_an_upload_is_stopped(page: Page, context: BrowserContext, tmp_path: Path, service_url: str) -> None:
    page.goto("/#/train/new")
    before = httpx.get(f"{service_url}/datasets").json()
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    (tmp_path / "large.zip").write_bytes(bytes(10_000_000))
    page.set_input_files("#files", tmp_path / "large.zip")
    expect(page.get_by_text("Sending 1 file, 10 MB")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("The upload was stopped.")).to_be_visible()
    assert httpx.get(f"{service_url}/datasets").json() == before
