"""TIFFs of several pages: every page and its metadata are kept, and bombs are rejected."""

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from n2n_core import image
from n2n_core.errors import ImageError, ImageTooLargeError, TooManyPagesError
from n2n_core.image.directory import Directory, Field, Reader, write
from n2n_core.image.picture import samples
from tests.core.image.corpus import pixels
from tests.pictures import drawn, file

PRIVATE = 65_000


def stack(*pages: np.ndarray[Any, Any], **options: Any) -> bytes:
    buffer = BytesIO()
    with tifffile.TiffWriter(buffer, **options) as writer:
        for index, page in enumerate(pages):
            colours = "rgb" if page.ndim == 3 and page.shape[2] > 2 else "minisblack"
            tags = [(285, 2, None, f"page {index}", True), (PRIVATE, 1, 3, bytes([index, 1, 2]), True)]
            writer.write(
                page, photometric=colours, metadata=None, extratags=tags, description=f"shot {index}",
                resolution=(3 + index, 5), resolutionunit=1,
            )  # fmt: skip
    return buffer.getvalue()


@pytest.mark.parametrize("options", [{}, {"byteorder": ">"}, {"bigtiff": True}])
def test_every_page_comes_back_with_its_depth_and_tags(options: dict[str, Any]) -> None:
    shapes = ("uint16", 1), ("uint8", 3), ("float32", 3), ("uint16", 3)
    pages = [pixels(dtype, channels).squeeze() for dtype, channels in shapes]
    pages[2] = pages[2][:9]  # their sizes may differ, too
    pictures = image.decode_pages(stack(*pages, **options))
    assert [picture.bits for picture in pictures] == [16, 8, 32, 16]
    with tifffile.TiffFile(BytesIO(image.encode_pages(pictures))) as result:
        assert len(result.pages) == len(pages)
        for index, (page, original) in enumerate(zip(result.pages, pages, strict=True)):
            assert isinstance(page, tifffile.TiffPage)
            assert np.array_equal(page.asarray(), original)
            assert page.tags[285].value == f"page {index}"
            assert page.tags[270].value == f"shot {index}"
            assert page.tags[PRIVATE].value == bytes([index, 1, 2])
            assert page.tags[282].value == (3 + index, 1)
            assert page.tags[296].value == 1  # no unit: pixels per micrometre, as ImageJ has them


def test_one_page_can_be_chosen() -> None:
    pages = [pixels("uint16", 1, seed)[..., 0] for seed in range(3)]
    content = stack(*pages)
    places = image.find_pages(content, 10)
    assert len(places) == 3
    assert image.find_pages(content, 1) == places[:2]
    assert np.array_equal(samples(image.decode(content, page=2), 16)[..., 0], pages[2])
    with pytest.raises(ImageError, match="no page 3, counted from 0"):
        image.decode(content, page=3)
    with pytest.raises(ImageError, match="no page 1, counted from 0"):
        image.decode(file(drawn("RGB")), page=1)


def test_other_formats_hold_one_page() -> None:
    pictures = image.decode_pages(stack(pixels("uint8", 3), pixels("uint8", 3)))
    for format in ("png", "jpeg", "webp", "bmp"):
        with pytest.raises(ImageError, match=f"{format} cannot store the image's 2 pages, expected tiff"):
            image.encode_pages(pictures, format)


def test_pages_and_their_pixels_are_bounded_before_any_is_decoded() -> None:
    content = stack(*[pixels("uint8", 1)[..., 0]] * 5)
    size = 53 * 37
    assert len(image.decode_pages(content, max_pixels=5 * size, max_pages=5)) == 5
    with pytest.raises(TooManyPagesError, match="more than 4 pages"):
        image.decode_pages(content, max_pages=4)
    with pytest.raises(ImageTooLargeError, match=f"more than {5 * size - 1} pixels together"):
        image.decode_pages(content, max_pixels=5 * size - 1)


def page(width: int = 8, height: int = 4, **changes: Any) -> Directory:
    """A page of 16-bit grey whose one strip is the first bytes of the file."""
    size = width * height * 2
    fields = {256: width, 257: height, 258: 16, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: size}
    fields |= {int(tag[1:]): value for tag, value in changes.items()}
    return Directory(
        {tag: Field.of(4, np.atleast_1d(value)) for tag, value in fields.items() if value is not None}
    )


def tiff(*directories: Directory, content: bytes = bytes(64), following: int | None = None) -> bytes:
    """A file of these pages; the last one's next is ``following``."""
    body, places = content, []
    for index, directory in enumerate(directories):
        places.append(8 + len(body))
        last = index == len(directories) - 1
        after = (following or 0) if last else places[-1] + len(write(directory, 0))
        body += write(directory, places[-1], after)
    return struct.pack("<2sHI", b"II", 42, places[0]) + body


def test_the_plain_page_is_read() -> None:
    assert image.decode(tiff(page())).colour.shape == (1, 4, 8)
    assert image.decode(tiff(page(t279=None))).colour.shape == (1, 4, 8)  # old files do not say
    assert len(image.decode_pages(tiff(page(), page()))) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 100_000, "height": 100_000}, "100000 x 100000, expected at most 64000000 pixels"),
        ({"width": 0}, "0 x 4, expected at least one pixel"),
        ({"t322": 2**20, "t323": 2**20, "t324": 8, "t325": 64}, "tiles are 1048576 x 1048576"),
        (
            {"width": 1, "height": 60_000_000, "t322": 65_536, "t323": 16, "t324": 8, "t325": 1},
            "tiles are 65",
        ),
        ({"t322": 0, "t323": 16, "t324": 8, "t325": 64}, "tiles are 0 x 16"),
        ({"height": 60_000_000, "width": 1, "t278": 1}, "60000000 strips or tiles, expected at most"),
        ({"t273": [8, 8, 8], "t279": [1000] * 3, "t278": 1, "height": 3}, "longer than their pixels"),
        ({"t273": 5000}, "outside the file"),
        ({"t278": 1}, "1 strips or tiles, expected 4"),
        ({"t277": 2**31}, "2147483648 channels, expected 1 to 4"),
        ({"t277": 3}, "that are neither colour nor transparency"),
        (
            {"t277": 2, "t258": [16, 16], "t338": 0, "t279": 32, "height": 1},
            "nor transparency, expected none",
        ),
        ({"t262": 2}, "an RGB image has 1 channels"),
        ({"t258": 12}, "pixels have 12 bits"),
        ({"t258": 32}, "pixels have 32 bits, sample format 1"),
        ({"t339": 2}, "sample format 2"),
        ({"t258": 64, "t339": 3}, "pixels have 64 bits, sample format 3"),
        ({"t262": 32803}, "photometric 32803"),
        ({"t259": 6}, "TIFF's old JPEG compression"),
        ({"t259": 7}, "compression 7"),
        ({"t258": 32, "t339": 3, "t262": 0, "width": 4}, "0 is white in an image of floats"),
    ],
)
def test_what_is_hostile_or_unknown_is_refused_with_a_reason(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        image.decode(tiff(page(**changes)))


def test_pages_in_a_circle_are_refused() -> None:
    with pytest.raises(ImageError, match="circular"):
        image.decode_pages(tiff(page(), page(), following=8 + 64))


def test_tags_that_announce_more_than_the_file_are_not_copied() -> None:
    bomb = page()
    content = bytearray(tiff(bomb, content=bytes(2**16)))
    many = b"".join(struct.pack("<HHII", 40_000 + index, 7, 2**16, 0) for index in range(2000))
    place = len(content)
    content += struct.pack("<H", 2000) + many + bytes(4)
    struct.pack_into("<I", content, 4, place)
    with pytest.raises(ImageError, match="tags declare more than 4 times the file's"):
        image.decode(bytes(content))


def test_pages_that_share_the_same_bytes_do_not_multiply_them() -> None:
    content, count, size = bytearray(8 + 64 + 2**16), 100, 2**16
    places = [len(content) + index * 150 for index in range(count)]
    for place, following in zip(places, [*places[1:], 0], strict=True):
        tags = sorted([*page(), PRIVATE])
        content += struct.pack("<H", len(tags))
        for tag in tags:
            shared = tag == PRIVATE
            number = 72 if shared else page().number(tag, 0)
            content += struct.pack("<HHII", tag, 7 if shared else 4, size if shared else 1, number)
        content += struct.pack("<I", following)
        content += bytes(place + 150 - len(content))
    struct.pack_into("<2sHI", content, 0, b"II", 42, places[0])
    assert len(image.find_pages(bytes(content), 1000)) == count
    assert image.decode(bytes(content), page=99).colour.shape == (1, 4, 8)
    with pytest.raises(ImageError, match="tags declare more than 4 times"):
        image.decode_pages(bytes(content))


@pytest.mark.parametrize(
    "content", [b"II*\0", b"MM\0*\0\0\0\x08", b"II*\0\0\0\0\0" + bytes(90), b"II+\0" * 4]
)
def test_a_tiff_without_pages_is_refused(content: bytes) -> None:
    for decode in (image.decode, image.decode_pages):
        with pytest.raises(ImageError):
            decode(content)


def test_directories_are_written_as_they_are_read() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    exif.get_ifd(0x8769)[0xA20E] = 1.5
    exif.get_ifd(0x8825)[1] = "N"
    raw = exif.tobytes().removeprefix(b"Exif\0\0")
    reader = Reader(raw)
    directory = reader.read(reader.first)
    assert reader.following(reader.first) == 0
    again = Image.Exif()
    again.load(b"Exif\0\0II*\0\x08\0\0\0" + write(directory, 8))
    assert again[0x010F] == "Maker"
    for nested in (0x8769, 0x8825):
        assert again.get_ifd(nested) == exif.get_ifd(nested)
