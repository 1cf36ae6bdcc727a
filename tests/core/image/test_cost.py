"""No image file costs far more time or memory than its bytes and pixels say."""

import re
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from n2n_core import image
from n2n_core.errors import ImageError
from n2n_core.image import jpeg, png
from n2n_core.image.metadata import without_orientation
from tests.fuzz.cost import Bound, measured
from tests.hostile.bombs import GOOD, chunk
from tests.hostile.slow_pictures import SLOW, png_with, segment

BOUND = Bound(seconds=0.2, seconds_per_kilobyte=0.00005, peak=6 * 2**20, peak_per_byte=8)
"""Each of these files took a second to many minutes, or a thousand times its size."""


def attempt(data: bytes) -> None:
    with suppress(ImageError):
        image.decode_pages(data)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, of tags that it skips
@pytest.mark.parametrize("name", SLOW)
def test_a_file_that_is_made_to_be_slow_is_not(name: str) -> None:
    cost = measured(attempt, SLOW[name])
    assert BOUND.share(cost) < 1, cost


PIECES = st.sampled_from(
    [b'tiff:Orientation="', b'"', b"<tiff:Orientation>", b"</tiff:Orientation>", b"6", b" ", b"\n\t", b"x"]
)


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_the_orientation_in_xmp_data_is_found_as_by_a_pattern(xmp: bytes) -> None:
    attribute = re.sub(rb'\s*tiff:Orientation="[0-9]*"', b"", xmp)
    element = re.sub(rb"<tiff:Orientation>[0-9]*</tiff:Orientation>", b"", attribute)
    assert without_orientation(xmp) == element


def test_a_png_of_needed_chunks_stays_as_it_is() -> None:
    assert png.needed(GOOD["png"]) is GOOD["png"]


def test_chunks_that_nobody_needs_and_second_ones_are_left_out_of_a_png() -> None:
    resolution = chunk(b"pHYs", (3000).to_bytes(4, "big") * 2 + b"\1")
    other = chunk(b"pHYs", (1).to_bytes(4, "big") * 2 + b"\1")
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")
    more = [chunk(b"tEXt", b"dpi\0x"), resolution, other, xmp, chunk(b"vpAg", b"x")]
    kept = png.needed(png_with(*more))
    whole = png_with()
    assert kept == whole[:33] + resolution + xmp + whole[33:]
    assert image.decode(png_with(*more)).metadata["xmp"] == b"<x/>"
    with Image.open(BytesIO(kept)) as file:
        file.load()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            GOOD["jpeg"][:2] + b"\xff" * (jpeg.MOST_FILL + 9) + GOOD["jpeg"][2:],
            "more than 4096 bytes of fill",
        ),
        (GOOD["jpeg"][:2] + segment(0xE5, b"") * 4096 + GOOD["jpeg"][2:], "has 4097 segments or more"),
        (b"\xff\xd8\xff\xd9" + GOOD["jpeg"][2:], "ends before its first scan"),
    ],
)
def test_a_jpeg_of_more_than_a_picture_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        image.decode(content)


def test_a_jpeg_may_have_fill_and_much_of_it_in_its_segments() -> None:
    fill = GOOD["jpeg"][:2] + b"\xff" * 1000 + segment(0xE5, b"\xff" * 60_000) * 20 + GOOD["jpeg"][2:]
    assert image.decode(fill).colour.shape == image.decode(GOOD["jpeg"]).colour.shape
