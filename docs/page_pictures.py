"""Makes the README's pictures of the page, ``page-*.png``, by Chromium: ``python docs/page_pictures.py``.

What is trained for them are crops of three photos that scikit-image ships (``before_after.py`` says
whose they are), noisy, without deep black and bright white, twice.
"""

import tempfile
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image
from playwright.sync_api import Page
from skimage import data
from torch import Generator

from benchmarks.chromium import running
from benchmarks.reliability.service import Service
from n2n_client import Client
from n2n_core.datasets.pairs import Pairs, save_pairs
from n2n_core.image.rounding import to_bytes
from n2n_core.noise.corruptions import PoissonGaussian

FOLDER = Path(__file__).parent
SIZE = {"width": 1120, "height": 680}
COLOURS = 256
CROP, STRIDE, EPOCHS = 64, 48, 12


def main() -> None:
    """Start a service, look at its page, and end it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Service(Path(folder), {}) as service,
        running() as browser,
    ):
        job = train(service.url)
        page = browser.new_page(base_url=service.url, viewport=SIZE)  # type: ignore[arg-type]
        for name, theme, address, ready in (
            ("denoise", "light", "denoise", denoised),
            ("train", "light", f"train/{job}", trained),
            ("models", "dark", "models", listed),
        ):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.goto(f"/#/{address}")
            ready(page)
            page.wait_for_timeout(500)
            shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
            shot.quantize(palette=shot.quantize(COLOURS), dither=Image.Dither.FLOYDSTEINBERG).save(
                FOLDER / f"page-{name}.png", optimize=True
            )


def train(url: str) -> str:
    """A job that has ended."""
    generator, noise = Generator().manual_seed(0), PoissonGaussian(lam=60, sigma=0.04)
    crops = []
    for photo in (data.astronaut(), data.coffee(), data.chelsea()):
        exposed = 0.2 + 0.6 * torch.from_numpy(photo.copy()).permute(2, 0, 1) / 255
        crops += exposed.unfold(1, CROP, STRIDE).unfold(2, CROP, STRIDE).flatten(1, 2).unbind(1)
    clean = torch.stack(crops)
    shots = [to_bytes(noise(clean, generator)) for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder, Client(url) as client:
        save_pairs(path := Path(folder) / "pairs.pkl", Pairs(*shots))
        pairs = client.upload_dataset([path], "pairs", "night shots").id
        job = client.submit(pairs, name="night", model="scratch", epochs=EPOCHS)
        while not job.done:
            job = client.job(job.id, wait=5)
        if job.error:
            raise RuntimeError(job.error)
        return job.id


def denoised(page: Page) -> None:
    """Both samples, one of them on view."""
    for sample in ("camera", "render"):
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Add", exact=True).click()
        chooser.value.set_files(FOLDER.parent / "service" / "web" / "samples" / f"{sample}.png")
    page.locator(".row[data-state=done]").nth(1).wait_for()
    page.locator(".row-main").first.click()
    page.mouse.move(0, 0)


def trained(page: Page) -> None:
    """The curves."""
    page.locator(".uplot").nth(1).wait_for()


def listed(page: Page) -> None:
    """The cards."""
    page.locator(".model").nth(3).wait_for()


if __name__ == "__main__":
    main()
