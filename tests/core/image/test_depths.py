"""Pictures of one depth as files of another, and floats on their own scale."""

from typing import Any

import numpy as np
import pytest

from n2n_core import image
from n2n_core.errors import ImageError
from n2n_core.image.picture import samples
from tests.core.image.corpus import KINDS, by_libvips, pixels, vips


def tiff(values: np.ndarray[Any, Any]) -> bytes:
    return bytes(vips(values.astype(np.float32)).tiffsave_buffer())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compression", image.COMPRESSIONS)
def test_sixteen_bits_are_kept_in_png_and_tiff(kind: str, compression: image.Compression) -> None:
    values = pixels("uint16", KINDS[kind])
    picture = image.decode(bytes(vips(values).pngsave_buffer()))
    for target in ("png", "tiff"):
        assert np.array_equal(by_libvips(image.encode(picture, target, compression)), values)


@pytest.mark.parametrize("target", ["webp", "jpeg", "bmp"])
def test_sixteen_bits_are_rounded_where_a_format_has_eight(target: str) -> None:
    values = pixels("uint16", 3)
    picture = image.decode(bytes(vips(values).pngsave_buffer()))
    again = image.decode(image.encode(picture, target))
    assert again.bits == 8
    difference = np.abs(samples(again, 8) - values / 257)
    assert difference.max() <= 0.5 + 1e-3 or target == "jpeg"


def test_sixteen_bit_alpha_is_rounded_like_colours() -> None:
    values = pixels("uint16", 4)
    alpha = image.decode(image.encode(image.decode(bytes(vips(values).pngsave_buffer())), "webp")).alpha
    assert alpha is not None
    assert np.array_equal(alpha[0], np.rint(values[..., 3] / 257).astype(np.uint8))


@pytest.mark.parametrize(("low", "high"), [(0, 4095), (-3, 2), (1000, 1001), (-1e30, 1e30), (-5, -4)])
def test_floats_outside_0_1_are_scaled_and_come_back_on_their_own_scale(low: float, high: float) -> None:
    values = (low + pixels("float32", 3).astype(np.float64) * (high - low)).astype(np.float32)
    picture = image.decode(tiff(values))
    assert (picture.colour.min(), picture.colour.max()) == (0, 1)
    assert picture.value_range == (values.min(), values.max())
    result = by_libvips(image.encode(picture))
    assert result.dtype == np.float32
    assert np.abs(result.astype(float) - values).max() <= 2e-7 * (high - low) + 1e-7 * max(
        abs(low), abs(high)
    )
    assert samples(image.decode(image.encode(picture, "png")), 16).max() == 65535


def test_floats_from_0_to_1_are_what_they_are() -> None:
    values = pixels("float32", 3) * np.float32(0.5)
    picture = image.decode(tiff(values))
    assert picture.value_range == (0, 1)
    assert np.array_equal(picture.colour.transpose(1, 2, 0), values)


@pytest.mark.parametrize("value", [7.0, -2.0, 1e9])
def test_constant_floats_come_back(value: float) -> None:
    values = np.full((3, 4, 1), value, np.float32)
    picture = image.decode(tiff(values))
    assert not picture.colour.any()
    assert np.array_equal(by_libvips(image.encode(picture)), values)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    values = pixels("float32", 1)
    values[3, 4] = value
    with pytest.raises(ImageError, match="not finite, expected numbers"):
        image.decode(tiff(values))


def test_values_too_far_apart_are_refused() -> None:
    values = pixels("float32", 1)
    values[0, 0], values[0, 1] = -3e38, 3e38
    with pytest.raises(ImageError, match="from -3e\\+38 to 3e\\+38"):
        image.decode(tiff(values))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colours_multiplied_by_alpha_are_divided_by_it(dtype: str) -> None:
    values = pixels(dtype, 4)
    most = np.iinfo(values.dtype).max
    content = bytes(vips(values).tiffsave_buffer(premultiply=True))
    result = samples(image.decode(content), 8 if dtype == "uint8" else 16)
    assert np.array_equal(result[..., 3], values[..., 3])
    solid = values[..., 3] > most // 2
    assert np.abs(result[solid].astype(int) - values[solid]).max() <= 2
