"""Files of every supported kind keep what the networks do not touch."""

import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

from n2n_core import image
from n2n_core.errors import ImageError, ImageTooLargeError
from tests.pictures import drawn, file, opened

LOSSLESS = ("png", "webp", "tiff", "bmp")
KINDS = [
    ("png", "L"), ("png", "LA"), ("png", "RGB"), ("png", "RGBA"), ("png", "I;16"),
    ("tiff", "L"), ("tiff", "LA"), ("tiff", "RGB"), ("tiff", "RGBA"), ("tiff", "I;16"),
    ("webp", "RGB"), ("webp", "RGBA"), ("bmp", "L"), ("bmp", "RGB"),
]  # fmt: skip


@pytest.mark.parametrize(("format", "mode"), KINDS)
def test_decoding_then_encoding_changes_no_pixel(format: str, mode: str) -> None:
    original = drawn(mode)
    options = {"lossless": True, "exact": True} if format == "webp" else {}
    result = opened(image.encode(image.decode(file(original, format, **options))))
    assert result.format == format.upper()
    assert result.mode == mode
    assert np.array_equal(np.asarray(result), np.asarray(original))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_stays_close(mode: str) -> None:
    content = file(drawn(mode), "jpeg", quality=95)
    result = opened(image.encode(image.decode(content)))
    assert (result.format, result.mode) == ("JPEG", mode)
    difference = np.asarray(result, float) - np.asarray(opened(content), float)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("LA", 1), ("1", 1), ("P", 3), ("RGB", 3), ("RGBA", 3)]
)
def test_colour_is_an_array_in_0_1(mode: str, channels: int) -> None:
    picture = image.decode(file(drawn(mode)))
    assert picture.colour.shape == (channels, 28, 40)
    assert picture.colour.dtype == np.float32
    assert 0 <= picture.colour.min() <= picture.colour.max() <= 1
    assert (picture.alpha is not None) == mode.endswith("A")


def test_a_transparent_palette_becomes_colour_with_alpha() -> None:
    content = file(drawn("RGB").quantize(8), transparency=0)
    picture = image.decode(content)
    assert picture.alpha is not None
    assert set(picture.alpha.ravel().tolist()) == {0, 255}
    assert np.array_equal(
        np.asarray(opened(image.encode(picture))), np.asarray(opened(content).convert("RGBA"))
    )


def test_sixteen_bits_are_kept_to_the_last_one() -> None:
    picture = image.decode(file(drawn("I;16")))
    assert picture.bits == 16
    assert len(set((picture.colour * 65535).round().ravel().tolist())) > 256


def test_values_are_rounded_and_clipped_as_in_a_file() -> None:
    colour = np.array([[[-0.2, 0.4999 / 255, 0.5001 / 255, 1.7]]], np.float32)
    assert np.asarray(opened(image.encode(image.Picture(colour)))).tolist() == [[0, 0, 1, 255]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once_and_cleared(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    original = drawn("RGB")
    result = opened(image.encode(image.decode(file(original, "png", exif=exif))))
    turned = (40, 28) if orientation <= 4 else (28, 40)
    assert result.size == turned
    assert result.getexif().get(0x0112, 1) == 1
    assert result.getexif()[0x010F] == "Maker"


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff"])
def test_profile_and_resolution_are_kept(format: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = file(drawn("RGB"), format, icc_profile=profile, dpi=(300, 300))
    result = opened(image.encode(image.decode(content)))
    assert result.info["icc_profile"] == profile
    if format != "webp":  # which has no field for it
        assert [round(value) for value in result.info["dpi"]] == [300, 300]


@pytest.mark.parametrize("target", LOSSLESS)
def test_another_format_can_be_asked_for(target: str) -> None:
    original = drawn("RGB")
    result = opened(image.encode(image.decode(file(original)), target))
    assert result.format == target.upper()
    assert np.array_equal(np.asarray(result), np.asarray(original))


@pytest.mark.parametrize("target", ["jpeg", "bmp"])
def test_transparency_is_not_dropped_silently(target: str) -> None:
    with pytest.raises(ImageError, match=f"{target} cannot store the image's transparency"):
        image.encode(image.decode(file(drawn("RGBA"))), target)


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(ImageError, match="'gif', expected one of: png, jpeg, webp, tiff, bmp"):
        image.encode(image.Picture(np.zeros((3, 2, 2), np.float32)), "gif")


@pytest.mark.parametrize("format", [*LOSSLESS, "jpeg"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_truncated_files_are_refused(format: str, share: float) -> None:
    content = file(drawn("RGB", 200, 150), format)
    with pytest.raises(ImageError):
        image.decode(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"hello", "not a readable image, expected one of: png"),
        (b"GIF89a" + bytes(40), "not a readable image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a readable image"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        image.decode(content)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, of tags that it skips
def test_bit_flips_never_escape_as_other_errors() -> None:
    rng = np.random.default_rng(0)
    for format in (*LOSSLESS, "jpeg"):
        content = np.frombuffer(file(drawn("RGB"), format), np.uint8)
        for _ in range(60):
            damaged = content.copy()
            damaged[rng.integers(len(content), size=3)] ^= rng.integers(1, 256, 3).astype(np.uint8)
            try:
                image.decode(damaged.tobytes(), max_pixels=100_000)
            except ImageError:
                continue


def test_size_is_checked_before_decoding() -> None:
    with pytest.raises(ImageTooLargeError, match="40 x 28, expected at most 1119 pixels"):
        image.decode(file(drawn("RGB")), max_pixels=40 * 28 - 1)
    assert image.decode(file(drawn("RGB")), max_pixels=40 * 28).colour.shape == (3, 28, 40)


def test_a_bomb_is_refused_from_its_header() -> None:
    header = bytearray(file(drawn("L")))
    header[16:24] = (60_000).to_bytes(4, "big") * 2  # PNG's width and height; its checksum follows
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    with pytest.raises(ImageTooLargeError):
        image.decode(bytes(header))


@pytest.mark.parametrize("format", ["png", "webp", "tiff"])
def test_animations_and_stacks_are_refused(format: str) -> None:
    frames = [drawn("RGB", seed=seed) for seed in (1, 2, 3)]
    content = file(frames[0], format, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="several frames or pages, expected a single one"):
        image.decode(content)
    if format != "tiff":
        with pytest.raises(ImageError, match="several frames or pages, expected a single one"):
            image.decode_pages(content)


@pytest.mark.parametrize("target", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize("source", ["png", "jpeg", "webp", "tiff"])
def test_a_cameras_exif_data_survive_every_change_of_format(source: str, target: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:01 00:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    content = file(drawn("RGB"), source, exif=exif.tobytes())
    result = opened(image.encode(image.decode(content), target)).getexif()
    assert result[0x010F] == "Maker"
    assert result.get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"
    assert result.get_ifd(0x8825)[1] == "N"


def test_no_resolution_is_made_up() -> None:
    result = opened(image.encode(image.decode(file(drawn("RGB"), "tiff")), "png"))
    assert "dpi" not in result.info


@pytest.mark.parametrize("dpi", [(0, 72), (float("nan"), 72), (1e9, 72), ("72", b"x"), 72, ()])
def test_a_resolution_that_is_none_is_dropped(dpi: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    load = PngImageFile.load
    monkeypatch.setattr(PngImageFile, "load", lambda self: (self.info.update(dpi=dpi), load(self))[1])
    assert "dpi" not in image.decode(file(drawn("RGB"))).metadata


@pytest.mark.parametrize(("size", "target"), [((16_384, 2), "webp"), ((65_536, 2), "jpeg")])
def test_a_format_that_is_too_small_is_named(size: tuple[int, int], target: str) -> None:
    with pytest.raises(ImageError, match=f"{target} cannot store the image"):
        image.encode(image.decode(file(Image.new("RGB", size))), target)


@pytest.mark.parametrize(
    ("mode", "key", "drawn", "other", "options"),
    [
        ("1", 1, 1, 0, {}), ("L", 2, 170, 200, {"bits": 2}), ("L", 9, 153, 200, {"bits": 4}),
        ("L", 7, 7, 8, {}), ("RGB", (1, 2, 3), (1, 2, 3), (1, 2, 4), {}), ("I;16", 3000, 3000, 3001, {}),
    ],
)  # fmt: skip
def test_a_transparent_colour_becomes_alpha(
    mode: str, key: Any, drawn: Any, other: Any, options: Any
) -> None:
    original = Image.new(mode, (4, 4), drawn)
    original.putpixel((1, 2), other)
    alpha = image.decode(file(original, transparency=key, **options)).alpha
    assert alpha is not None
    expected = np.zeros_like(alpha)
    expected[0, 2, 1] = np.iinfo(alpha.dtype).max
    assert np.array_equal(alpha, expected)


def test_a_phones_jpeg_with_preview_is_read() -> None:
    content = file(drawn("RGB"), "mpo", save_all=True, append_images=[drawn("RGB", 20, 14)])
    picture = image.decode(content)
    assert picture.format == "jpeg"
    assert picture.colour.shape == (3, 28, 40)


def test_cmyk_is_refused_with_a_reason() -> None:
    with pytest.raises(ImageError, match="'CMYK', expected grey or RGB"):
        image.decode(file(drawn("RGB").convert("CMYK"), "jpeg"))
