"""Every kind of file: its pixels and metadata are those that libvips reads, before and after."""

import numpy as np
import pytest

from n2n_core import image
from n2n_core.errors import ImageError
from n2n_core.image import png
from n2n_core.image.picture import samples
from tests.core.image.corpus import CASES, KINDS, Case, by_libvips, described, marked, orientation, wide_gamut
from tests.pictures import drawn, file, opened

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


@pytest.mark.parametrize("target", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize(("format", "dtype"), MARKED)
def test_metadata_survive_a_change_of_format(format: str, dtype: str, target: str) -> None:
    content = marked(format, dtype)
    before, after = described(content), described(image.encode(image.decode(content), target))
    assert after["icc-profile-data"] == wide_gamut()
    assert after["xmp-data"] == before["xmp-data"]
    if "webp" not in (format, target):  # which has no resolution of its own
        assert (after["xres"], after["yres"]) == (before["xres"], before["yres"])


def test_what_a_pngs_colours_mean_is_kept_without_a_profile() -> None:
    plain = file(drawn("RGB"))
    chunks = b"".join(
        png.chunk(kind, bytes(range(size)))
        for kind, size in ((b"cICP", 4), (b"gAMA", 4), (b"cHRM", 32), (b"tIME", 7))
    )
    content = plain[: png.HEADER_END] + chunks + plain[png.HEADER_END :]
    for compression in image.COMPRESSIONS:
        result = image.encode(image.decode(content), compression=compression)
        for kind in (b"cICP", b"gAMA", b"cHRM"):
            assert result.count(kind) == 1
            assert result.index(kind) < result.index(b"IDAT")
        assert b"tIME" not in result
    assert b"gAMA" not in image.encode(image.decode(content), "tiff")


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_a_palette_of_greys_with_a_profile_stays_rgb_as_its_profile_is(format: str) -> None:
    greys = drawn("L").quantize(16)
    picture = image.decode(file(greys, format, icc_profile=wide_gamut()))
    assert len(picture.colour) == 3
    assert picture.metadata["icc_profile"] == wide_gamut()


def test_a_bmp_keeps_its_resolution() -> None:
    result = image.encode(image.decode(file(drawn("RGB"), "bmp", dpi=(300, 150))))
    assert [round(value) for value in opened(result).info["dpi"]] == [300, 150]


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, of tags that it skips
@pytest.mark.parametrize("format", ["png", "tiff", "jpeg", "webp"])
def test_damaged_files_are_refused_and_never_anything_else(format: str) -> None:
    rng = np.random.default_rng(0)
    files = [case.write() for case in CASES if case.format == format] + [marked(format, "uint8", 6)]
    for _ in range(600):
        damaged = np.frombuffer(files[rng.integers(len(files))], np.uint8).copy()
        near = rng.integers(min(400, len(damaged)), size=3)  # to the header, or to a TIFF's directory
        damaged[near if rng.random() < 0.5 else -1 - near] = rng.choice([0, 1, 3, 4, 127, 255], 3)
        try:
            pictures = image.decode_pages(damaged.tobytes(), max_pixels=100_000)
        except ImageError:
            continue
        assert image.decode_pages(image.encode_pages(pictures))


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
