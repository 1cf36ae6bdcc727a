"""Steps that visitors take on the page."""

import json
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.pictures import drawn, file

NOISY = file(drawn("RGB", 96, 64))


def payload(name: str = "a.png", content: bytes = NOISY, type: str = "image/png") -> FilePayload:
    """Return a file to choose."""
    return {"name": name, "mimeType": type, "buffer": content}


def open_view(page: Page, model: str = "scratch") -> None:
    """Open the view that denoises pictures, with a fast model."""
    page.goto(f"/#/denoise?model={model}")
    expect(page.get_by_role("combobox", name="Model")).to_have_value(model)


def choose(page: Page, *files: FilePayload) -> None:
    """Choose files in the browser's dialog."""
    button = page.get_by_role("button", name="Add", exact=True)
    with page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(list(files))


def row(page: Page, name: str) -> Locator:
    """Return a picture's row in the queue."""
    return page.locator(".row", has_text=name)


def wait_until(page: Page, name: str, state: str = "done") -> None:
    """Wait until a picture has this state."""
    expect(row(page, name)).to_have_attribute("data-state", state)


def download(page: Page, button: str = "Download") -> tuple[str, bytes]:
    """Click the button, and return the downloaded file's name and bytes."""
    with page.expect_download() as saved:
        page.get_by_role("button", name=button, exact=True).click()
    return saved.value.suggested_filename, Path(saved.value.path()).read_bytes()


def answer(url: str, content: bytes, **parameters: Any) -> bytes:
    """Return the service's answer to the same request."""
    response = httpx.post(
        f"{url}/denoise", params={"model": "scratch", **parameters}, files={"file": content}, timeout=60
    )
    assert response.status_code == 200, response.text
    return response.content


def middle(page: Page, canvas: str) -> list[list[int]]:
    """Return the pixels of a canvas' middle row, as red, green, blue and opacity."""
    script = """(name) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
      const canvas = document.querySelector(name);
      const copy = new OffscreenCanvas(canvas.width, 1).getContext("2d", { willReadFrequently: true });
      copy.drawImage(canvas, 0, -(canvas.height >> 1));
      const { data } = copy.getImageData(0, 0, canvas.width, 1);
      done(Array.from({ length: canvas.width }, (_, i) => [...data.slice(4 * i, 4 * i + 4)]));
    })))"""
    found: list[list[int]] = page.evaluate(script, canvas)
    return found


def give(page: Page, event: str, *files: FilePayload) -> None:
    """Drop files on the page, or paste them."""
    script = """([event, files]) => {
      const transfer = new DataTransfer();
      for (const { name, type, bytes } of files) {
        transfer.items.add(new File([Uint8Array.from(bytes)], name, { type }));
      }
      const options = { bubbles: true, cancelable: true };
      const made = (name) => name === "paste"
        ? new ClipboardEvent(name, { clipboardData: transfer, ...options })
        : new DragEvent(name, { dataTransfer: transfer, ...options });
      const names = event === "drop" ? ["dragenter", "dragover", "drop"] : [event];
      for (const name of names) document.body.dispatchEvent(made(name));
    }"""
    told = [{"name": f["name"], "type": f["mimeType"], "bytes": list(f["buffer"])} for f in files]
    page.evaluate(script, [event, json.loads(json.dumps(told))])
