"""Our PNG files are read by Pillow as those that Pillow writes."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from n2n_core import image
from n2n_core.errors import ImageError
from n2n_core.image import png
from tests.pictures import drawn, file, opened

SIZES = [(1, 1), (1, 7), (7, 1), (2, 3), (13, 5), (32, 32), (257, 3), (40, 28)]
MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1}
EXIF = Image.Exif()
EXIF[0x010F] = "Maker"
EXIF.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
METADATA: list[dict[str, Any]] = [
    {},
    {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
    {"dpi": (72.0, 300.5)},
    {"exif": EXIF.tobytes()},
    {"exif": EXIF.tobytes().removeprefix(b"Exif\0\0")},
    {"icc_profile": b"not a profile", "dpi": (1, 65535), "exif": EXIF.tobytes()},
]


def pixels(mode: str, width: int, height: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(width * height)
    kind = np.uint16 if mode == "I;16" else np.uint8
    return rng.integers(0, np.iinfo(kind).max, (height, width, MODES[mode]), kind, endpoint=True)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_pillow_reads_every_pixel_back(mode: str, size: tuple[int, int]) -> None:
    original = pixels(mode, *size)
    content = png.write(original, {})
    with Image.open(BytesIO(content)) as checked:
        checked.verify()
    result = opened(content)
    assert (result.mode, result.size) == (mode, size)
    assert np.array_equal(np.asarray(result).reshape(original.shape), original)


@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_pixels_need_not_lie_in_order(mode: str) -> None:
    original = pixels(mode, 9, 5)[::-1, ::2]
    assert np.array_equal(np.asarray(opened(png.write(original, {}))).reshape(original.shape), original)


@pytest.mark.parametrize("metadata", METADATA)
def test_metadata_are_written_as_pillow_writes_them(metadata: dict[str, Any]) -> None:
    theirs = opened(file(drawn("RGB"), **metadata))
    ours = opened(png.write(np.asarray(drawn("RGB")), metadata))
    assert ours.info == theirs.info
    assert ours.getexif().get_ifd(0x8769) == theirs.getexif().get_ifd(0x8769)


@pytest.mark.parametrize("mode", MODES)
def test_both_compressions_hold_the_same_picture(mode: str) -> None:
    picture = image.decode(file(drawn(mode, 200, 150), dpi=(300, 300)))
    fast, small = (image.encode(picture, "png", compression) for compression in image.COMPRESSIONS)
    assert len(small) < len(fast) < 1.4 * len(small)
    assert opened(fast).info == opened(small).info
    assert np.array_equal(np.asarray(opened(fast)), np.asarray(opened(small)))


def test_an_unknown_compression_lists_the_known_ones() -> None:
    with pytest.raises(ImageError, match="compression is 'best', expected one of: fast, small"):
        image.encode(image.Picture(np.zeros((3, 2, 2), np.float32)), compression="best")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "metadata"), [((0, 3), {}), ((3, 0), {}), ((2, 2), {"dpi": (1e9, 1)}), ((2, 2), {"dpi": 72})]
)
@pytest.mark.parametrize("compression", image.COMPRESSIONS)
def test_what_png_cannot_hold_is_refused(
    compression: image.Compression, size: tuple[int, int], metadata: dict[str, Any]
) -> None:
    picture = image.Picture(np.zeros((3, *size), np.float32), metadata=metadata)
    with pytest.raises(ImageError, match="png cannot store the image"):
        image.encode(picture, compression=compression)
