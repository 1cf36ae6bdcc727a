"""Read the pixels of a TIFF page: 8 and 16 bits per channel, and 32-bit floats.

libtiff, which comes with Pillow, decompresses. Pillow has no modes for RGB of 16 bits or
floats, so we declare the rows as bytes, and convert these to samples with numpy. Pillow reads everything
that is not plain grey or RGB, such as palettes and JPEG.

Source: TIFF revision 6.0; Adobe's technical note 3 on the predictor for floats.
"""

from __future__ import annotations

from io import BytesIO
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from n2n_core.errors import ImageError, ImageTooLargeError
from n2n_core.image.directory import LONG, Directory, Field, Reader
from n2n_core.image.picture import Samples
from n2n_core.image.tiff import (
    ALPHA,
    BITS,
    CHANNELS,
    COMPRESSION,
    DIFFERENCES,
    EXTRA,
    FILL_ORDER,
    FLOAT,
    FLOAT_DIFFERENCES,
    FORMAT,
    GREY,
    HEIGHT,
    OLD_JPEG,
    PHOTOMETRIC,
    PLANAR,
    PREDICTOR,
    PREMULTIPLIED,
    RGB,
    TILE_WIDTH,
    UINT,
    UNCOMPRESSED,
    UNKNOWN_EXTRA,
    WHITE_IS_ZERO,
    WIDTH,
    alone,
)

AS_BYTES = (1, 5, 8, 32773, 32946, 34925, 50000)
"""Compressions that store plain bytes: none, LZW, deflate (two codes), PackBits, LZMA, Zstandard."""

ROW_BYTES = 2**29 - 2
"""Largest number of bytes in a row that Pillow can handle."""

_DTYPES = {(8, UINT): "u1", (16, UINT): "u2", (32, FLOAT): "f4"}


def read(reader: Reader, page: Directory) -> Image.Image | Samples:
    """Read a page as a Pillow image of at most 8 bits per channel, or as ``(H, W, C)`` samples.

    Raises:
        ImageError: pixels of this kind are not supported.
    """
    compression, photometric = page.number(COMPRESSION, UNCOMPRESSED), page.number(PHOTOMETRIC, -1)
    bits, formats = set(page.numbers(BITS, (1,))), set(page.numbers(FORMAT, (UINT,)))
    extra = _extra(page)
    if len(extra) > 1 or UNKNOWN_EXTRA in extra:
        raise ImageError("the image has channels that are neither colour nor transparency, expected none")
    if compression == OLD_JPEG:
        raise ImageError("the image has TIFF's old JPEG compression (6), expected the new one (7)")
    dtype = _DTYPES.get((max(bits), max(formats))) if len(bits) == len(formats) == 1 else None
    in_order = compression in AS_BYTES and page.number(FILL_ORDER, 1) == 1
    if dtype and in_order and photometric in (GREY, RGB, WHITE_IS_ZERO):
        return _meant(_samples(reader, page, np.dtype(dtype)), page, extra)
    if max(bits) <= 8 and formats == {UINT}:
        return TiffImageFile(BytesIO(alone(reader, page, Directory())))
    raise ImageError(
        f"the pixels have {max(bits)} bits, sample format {max(formats)}, photometric {photometric},"
        f" compression {compression}, expected grey or RGB of 8 or 16 unsigned bits, or 32-bit floats"
    )


def _extra(page: Directory) -> tuple[int, ...]:
    """Return the kinds of the extra channels. Unspecified ones are alpha, as other programs assume."""
    colours = {GREY: 1, WHITE_IS_ZERO: 1, RGB: 3}.get(page.number(PHOTOMETRIC, -1))
    count = page.number(CHANNELS, 1) - colours if colours else 0
    if count < 0:
        raise ImageError(f"an RGB image has {page.number(CHANNELS, 1)} channels, expected 3 or 4")
    said = tuple(page.numbers(EXTRA))
    return said[:count] if len(said) >= count else said + (ALPHA,) * (count - len(said))


def _meant(samples: Samples, page: Directory, extra: tuple[int, ...]) -> Samples:
    """Convert samples so that black is 0 and colours are not premultiplied by alpha."""
    inverse, premultiplied = page.number(PHOTOMETRIC, GREY) == WHITE_IS_ZERO, extra == (PREMULTIPLIED,)
    if samples.dtype.kind == "f":
        if inverse or premultiplied:
            what = "0 is white" if inverse else "colours are multiplied by alpha"
            raise ImageError(f"{what} in an image of floats, expected 0 for black and unmultiplied colours")
        return samples
    most = np.iinfo(samples.dtype).max
    if inverse:
        samples[..., 0] = most - samples[..., 0]
    if premultiplied:
        alpha = samples[..., -1:].astype(np.float32)
        straight = samples[..., :-1] * (np.float32(most) / np.where(alpha == 0, np.float32(most), alpha))
        samples[..., :-1] = np.rint(straight).clip(0, most)
    return samples


def _samples(reader: Reader, page: Directory, dtype: np.dtype[Any]) -> Samples:
    """Read the samples of a page, ``(H, W, C)``."""
    channels, size = page.number(CHANNELS, 1), dtype.itemsize
    planes = channels if page.number(PLANAR, 1) == 2 else 1
    parts = [
        _typed(_plane(reader, page, plane, planes, channels // planes, size), page, dtype, reader.order)
        for plane in range(planes)
    ]
    return parts[0] if planes == 1 else np.concatenate(parts, axis=2)


def _plane(
    reader: Reader, page: Directory, plane: int, planes: int, channels: int, size: int
) -> NDArray[np.uint8]:
    """Decompress a plane to ``(H, tiles, columns, bytes per pixel)``. A strip counts as one tile."""
    width, height, tile_width = page.number(WIDTH, 0), page.number(HEIGHT, 0), page.number(TILE_WIDTH, 0)
    padded = ceil(width / tile_width) * tile_width if tile_width else width
    row = padded * channels * size
    if row > ROW_BYTES:
        raise ImageTooLargeError(f"a row of the image has {row} bytes, expected at most {ROW_BYTES}")
    as_bytes = {WIDTH: row, BITS: 8, CHANNELS: 1, PHOTOMETRIC: GREY, FORMAT: UINT, PLANAR: 1, PREDICTOR: 1}
    if tile_width:
        as_bytes[TILE_WIDTH] = tile_width * channels * size
    fields = Directory({tag: Field.of(LONG, (value,)) for tag, value in as_bytes.items()})
    with TiffImageFile(BytesIO(alone(reader, page.without(EXTRA), fields, plane, planes))) as file:
        return np.array(file).reshape(height, -1, tile_width or width, channels * size)


def _typed(rows: NDArray[np.uint8], page: Directory, dtype: np.dtype[Any], order: str) -> Samples:
    """Convert the bytes of one plane to samples, ``(H, W, C)``, and undo the predictor."""
    height, tiles, columns, pixel = rows.shape
    predictor, size = page.number(PREDICTOR, 1), dtype.itemsize
    if predictor == FLOAT_DIFFERENCES:
        channels = pixel // size
        steps = rows.reshape(height, tiles, -1, channels)
        summed = np.add.accumulate(steps, 2, dtype=np.uint8)
        by_byte = summed.reshape(height, tiles, size, columns * channels)  # most significant bytes first
        rows, order = np.ascontiguousarray(by_byte.swapaxes(2, 3)), ">"
    unsigned = rows.reshape(height, tiles, -1).view(f"{order}u{size}")
    values = unsigned.astype(f"u{size}", copy=False).reshape(height, tiles, columns, -1)
    if predictor == DIFFERENCES:
        np.add.accumulate(values, 2, dtype=values.dtype, out=values)
    samples: Samples = values.view(dtype).reshape(height, tiles * columns, -1)
    return samples[:, : page.number(WIDTH, 0)]
