"""Write image files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from PIL import Image

from n2n_core.errors import ImageError, SeveralPagesError
from n2n_core.image import png, tiff_writing
from n2n_core.image.metadata import for_page
from n2n_core.image.picture import COMPRESSIONS, MEDIA_TYPES, Bits, Compression, Picture, Samples, samples

_OPAQUE_FORMATS = ("jpeg", "bmp")
_MOST_BITS: dict[str, Bits] = {"png": 16, "tiff": 32}
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {"compress_level": 6},  # for "small"; level 9 takes three times as long and saves 1 %
    "jpeg": {"quality": 95, "subsampling": 0},
    # Lossless: quality and method set the effort. Method 4, the default, takes 4 to 20 times as long.
    "webp": {"lossless": True, "quality": 20, "method": 0, "exact": True},
    "bmp": {},
}
_METADATA = ("icc_profile", "exif", "xmp", "dpi")
# Exceptions that encoders raise on sizes and metadata that a format cannot hold.
_ENCODE_ERRORS = (OSError, ValueError, OverflowError, RuntimeError, TypeError, AttributeError, struct.error)


def encode(picture: Picture, format: str | None = None, compression: Compression = "fast") -> bytes:
    """Write ``picture`` as a file of ``format``, by default its own.

    Values are rounded to 8 bits, or to 16 if the picture and the format have as many. Floats stay floats in
    TIFF, on their own scale.

    Args:
        picture: the picture to write.
        format: a key of ``MEDIA_TYPES``.
        compression: of PNG files, one of ``COMPRESSIONS``; both are lossless.

    Raises:
        ImageError: the format or compression is unknown, or the format cannot hold the picture's
            transparency, size or metadata.
    """
    return encode_pages([picture], format, compression)


def encode_pages(
    pictures: Sequence[Picture], format: str | None = None, compression: Compression = "fast"
) -> bytes:
    """Write a file of several pages, which only TIFF can hold. See ``encode``."""
    format = format or pictures[0].format
    if format not in MEDIA_TYPES:
        raise ImageError(f"format is {format!r}, expected one of: {', '.join(MEDIA_TYPES)}")
    if compression not in COMPRESSIONS:
        raise ImageError(f"compression is {compression!r}, expected one of: {', '.join(COMPRESSIONS)}")
    check_pages(format, len(pictures))
    if pictures[0].alpha is not None and format in _OPAQUE_FORMATS:
        raise ImageError(f"{format} cannot store the image's transparency, expected png, webp or tiff")
    most = _MOST_BITS.get(format, 8)
    try:
        if format == "tiff":
            return tiff_writing.write(
                [(samples(each, min(each.bits, most)), for_page(each.metadata)) for each in pictures]
            )
        (picture,) = pictures
        return _written(samples(picture, min(picture.bits, most)), picture, format, compression)
    except _ENCODE_ERRORS as error:
        raise ImageError(f"{format} cannot store the image ({error})") from error


def check_pages(format: str, count: int) -> None:
    """Raise ``SeveralPagesError`` unless ``format`` can hold ``count`` pages."""
    if count > 1 and format != "tiff":
        raise SeveralPagesError(f"{format} cannot store the image's {count} pages, expected tiff")


def _written(pixels: Samples, picture: Picture, format: str, compression: Compression) -> bytes:
    if format != "png":
        described = {name: picture.metadata[name] for name in _METADATA if name in picture.metadata}
        return _saved(pixels, format, described)
    if compression == "fast":
        return png.write(pixels, picture.metadata)
    if pixels.itemsize > 1 and pixels.shape[2] > 1:  # Pillow has no mode for 16-bit colours
        return png.write(pixels, picture.metadata, png.small)
    return png.described(_saved(pixels, format, {}), picture.metadata)


def _saved(pixels: Samples, format: str, described: dict[str, Any]) -> bytes:
    """Write a file by Pillow."""
    height, width, channels = pixels.shape
    mode = "I;16" if pixels.itemsize == 2 else _MODES[channels]
    buffer = BytesIO()
    image = Image.frombytes(mode, (width, height), pixels.tobytes())
    image.save(buffer, format.upper(), **_SAVE_OPTIONS[format], **described)
    return buffer.getvalue()
