"""Every kind of file: its pixels and metadata are those that libvips reads, before and after."""

import numpy as np
import pytest

from n2n_core import image
from n2n_core.image.picture import samples
from tests.core.image.corpus import (
    CASES,
    KINDS,
    Case,
    by_libvips,
    described,
    marked,
    orientation,
    wide_gamut,
)

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
MARKED = [
    ("png", "uint8"), ("png", "uint16"), ("tiff", "uint8"), ("tiff", "uint16"), ("tiff", "float32"),
    ("jpeg", "uint8"), ("webp", "uint8"),
]  # fmt: skip


def as_grey(values: np.ndarray, case: Case) -> np.ndarray:
    """Others give three equal channels for a palette of greys."""
    if "grey-palette" not in case.name or values.shape[2] == 1:
        return values
    assert (values == values[..., :1]).all()
    return values[..., :1]


@EVERY
def test_pixels_are_read_and_written_as_others_read_them(case: Case) -> None:
    content = case.write()
    expected = as_grey(case.others_reading(content), case)
    picture = image.decode(content)
    assert picture.format == case.format
    assert picture.bits == np.dtype(case.dtype).itemsize * 8
    read = samples(picture, picture.bits)
    assert read.dtype == expected.dtype == case.dtype
    assert read.shape == expected.shape
    assert read.shape[2] == KINDS[case.kind]
    if not case.lossless:
        assert np.abs(read.astype(int) - expected).max() <= 1  # decoders of JPEG may differ in rounding
        return
    assert np.array_equal(read, expected)
    written = case.others_reading(image.encode(picture))
    assert written.dtype == expected.dtype
    assert np.array_equal(written, expected)


@pytest.mark.parametrize(("format", "dtype"), MARKED)
def test_metadata_are_kept_and_colours_are_not_converted(format: str, dtype: str) -> None:
    content = marked(format, dtype)
    picture = image.decode(content)
    result = image.encode(picture)
    assert described(result) == described(content)
    assert described(result)["icc-profile-data"] == wide_gamut()
    assert np.array_equal(samples(picture, picture.bits), by_libvips(content))


@pytest.mark.parametrize(("format", "dtype"), MARKED)
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied_once_and_cleared(format: str, dtype: str, turn: int) -> None:
    content = marked(format, dtype, turn)
    assert orientation(content) == turn
    picture = image.decode(content)
    assert np.array_equal(samples(picture, picture.bits), by_libvips(content))
    result = image.encode(picture)
    assert orientation(result) == 1
    again = image.decode(result)
    assert again.colour.shape == picture.colour.shape
    before, after = described(content), described(result)
    if turn > 4:
        before["xres"], before["yres"] = before["yres"], before["xres"]
    for name in ("icc-profile-data", "xres", "yres"):
        assert after[name] == before[name]
    if turn > 1:
        assert b"Orientation" not in after["xmp-data"]
        assert b'a="1"' in after["xmp-data"]
