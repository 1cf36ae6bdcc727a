"""Pictures of more than 8 bits: read at their full depth, and stretched on the screen only."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from n2n_core.image import png
from tests.pictures import drawn, file
from tests.web.steps import answer, choose, download, middle, open_view, payload, row, wait_until

FILTERS = range(5)


def deep(channels: int, height: int = 24, width: int = 20) -> NDArray[np.uint16]:
    """Return smooth pixels ``(H, W, C)`` that use both bytes; with alpha, the first row is transparent."""
    rng = np.random.default_rng(channels)
    smooth = np.add.outer(np.arange(height) * 1500, np.arange(width) * 1100)[..., None]
    pixels = (smooth + rng.integers(0, 3000, (height, width, channels))).astype(np.uint16)
    if channels % 2 == 0:
        pixels[0, :, -1] = 0
    return pixels


def filtered(pixels: NDArray[np.uint16]) -> bytes:
    """Write a PNG whose rows use the five filters in turn, in chunks of 100 bytes."""
    height, width, channels = pixels.shape
    step = 2 * channels
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    left, corner = (np.pad(each, ((0, 0), (step, 0)))[:, :-step] for each in (rows, above))
    distances = np.stack([np.abs(above - corner), np.abs(left - corner), np.abs(left + above - 2 * corner)])
    paeth = np.choose(distances.argmin(0), [left, above, corner])
    expected = [np.zeros_like(rows), left, above, (left + above) // 2, paeth]
    lines = [
        bytes([y % len(FILTERS)]) + (rows[y] - expected[y % len(FILTERS)][y]).astype(np.uint8).tobytes()
        for y in range(height)
    ]
    data = zlib.compress(b"".join(lines))
    header = struct.pack(">IIBBBBB", width, height, 16, png.COLOUR_TYPES[channels], 0, 0, 0)
    parts = [png.chunk(b"IDAT", data[at : at + 100]) for at in range(0, len(data), 100)]
    return b"".join([png.SIGNATURE, png.chunk(b"IHDR", header), *parts, png.chunk(b"IEND")])


def libpng(pixels: NDArray[np.uint16], **options: Any) -> bytes:
    """Write the file with libpng."""
    image = pyvips.Image.new_from_array(pixels)
    kind = "grey16" if pixels.shape[2] < 3 else "rgb16"
    content: bytes = image.copy(interpretation=kind).pngsave_buffer(bitdepth=16, **options)
    return content


def decoded(page: Page, content: bytes) -> dict[str, Any] | None:
    """Decode a file with the page's own reader."""
    script = """async (bytes) => {
      const { decode16 } = await import("/web/js/denoise/png16.js");
      const found = await decode16(new Blob([Uint8Array.from(bytes)]));
      return found && { ...found, values: [...found.values] };
    }"""
    found: dict[str, Any] | None = page.evaluate(script, list(content))
    return found


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_the_reader_has_every_value_of_every_kind_of_file(channels: int, page: Page) -> None:
    pixels = deep(channels)
    page.goto("/")
    assert np.array_equal(
        pyvips.Image.new_from_buffer(filtered(pixels), "").numpy().reshape(pixels.shape), pixels
    )
    for content in (png.write(pixels, {}), libpng(pixels, filter=0xF8), filtered(pixels)):
        found = decoded(page, content)
        assert found
        assert (found["height"], found["width"], found["channels"]) == pixels.shape
        assert found["values"] == pixels.ravel().tolist()


def test_the_reader_leaves_other_files_to_the_browser(page: Page) -> None:
    jpeg = file(drawn("RGB"), "jpeg")
    page.goto("/")
    for content in (file(drawn("RGB")), jpeg, b"", libpng(deep(3), interlace=True)):
        assert decoded(page, content) is None


def stars(height: int = 60, width: int = 80) -> NDArray[np.uint16]:
    """Return a sky of 900 to 1200 of 65535, from left to right, with a few stars."""
    sky = 900 + np.arange(width) * 300 / width + np.random.default_rng(0).normal(0, 10, (height, width))
    sky[10:12, 10:12] = 60000
    return sky.astype(np.uint16)


def tiff(pixels: NDArray[Any]) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="minisblack")
    return buffer.getvalue()


def greys(page: Page, canvas: str) -> list[int]:
    """Return the drawn pixels of the middle row."""
    return [red for red, _, _, opacity in middle(page, canvas) if opacity]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sky.png", png.write(stars()[..., None], {})),
        ("sky.tif", tiff(stars())),
        ("float.tif", tiff(stars().astype(np.float32) / 65535)),
    ],
)
def test_a_dark_sky_is_seen_and_saved_as_it_is(
    name: str, content: bytes, page: Page, service_url: str
) -> None:
    open_view(page)
    choose(page, payload(name, content, "application/octet-stream"))
    wait_until(page, name)
    expect(page.locator(".compare")).to_have_class("compare has-after")
    button = page.get_by_role("button", name="Stretch")
    expect(button).to_have_attribute("aria-pressed", "true")
    for canvas in (".layer", ".clip canvas"):
        line = greys(page, canvas)
        assert min(line) < 40
        assert max(line) > 215
        assert len(set(line)) > 30  # of 8 bits, there would be three
    small = row(page, name).locator("canvas")
    script = "(canvas) => [...canvas.getContext('2d').getImageData(0, 40, 96, 1).data]"
    assert max(small.evaluate(script)[::4]) > 150
    assert download(page)[1] == answer(service_url, content)
    expect(page.locator(".facts")).to_contain_text(
        "Noise (0\N{EN DASH}1)" if name.startswith("float") else "Noise (0\N{EN DASH}65,535)"
    )
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert max(greys(page, ".layer")) < 10
    assert download(page)[1] == answer(service_url, content)


def test_a_picture_that_fills_its_range_is_not_stretched_unasked(page: Page) -> None:
    open_view(page)
    choose(page, payload("full.png", file(drawn("I;16", 48, 40))), payload("plain.png"))
    for name, offered in (("full.png", True), ("plain.png", False)):
        wait_until(page, name)
        row(page, name).locator(".row-main").click()
        expect(page.get_by_role("button", name="Stretch")).to_have_count(int(offered))
        if offered:
            expect(page.get_by_role("button", name="Stretch")).to_have_attribute("aria-pressed", "false")


def test_a_deep_picture_is_shown_at_full_depth_whatever_is_saved(page: Page, service_url: str) -> None:
    content = png.write(stars()[..., None], {})
    open_view(page)
    page.get_by_label("Save as").select_option("jpeg")
    choose(page, payload("sky.png", content))
    wait_until(page, "sky.png")
    expect(page.locator(".compare")).to_have_class("compare has-after")
    assert len(set(greys(page, ".clip canvas"))) > 30
    assert download(page)[1] == answer(service_url, content, format="jpeg")
