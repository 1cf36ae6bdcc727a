"""Image files to arrays and back, losing nothing on the way.

What the networks do not touch is carried along: transparency, colour profile, resolution and
EXIF data. EXIF's orientation is applied when reading, and cleared.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from n2n_core import png
from n2n_core.errors import ImageError, ImageTooLargeError

MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
}
"""The formats that are read and written, with their media types."""

SUFFIXES = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
}

Pixels = NDArray[np.float32]
"""``(..., H, W)``, values nominally in [0, 1]."""

Compression = Literal["fast", "small"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)
"""How PNGs are written: ``fast`` in half to a twentieth of the time of ``small``, about a tenth larger."""

MAX_PIXELS = 64_000_000

PIXEL_LIMIT = 178_956_970
"""Pillow itself refuses more, so no larger limit has an effect."""

X_RESOLUTION = 282
TIFF_DESCRIPTION = (270, 271, 272, 305, 306, 315, 316, 33432)  # title, maker, model, software, date, ...
NESTED = (0x8769, 0x8825)  # EXIF's and GPS's own directories

_READ_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
_OPAQUE_FORMATS = ("jpeg", "bmp")
_DEEP_FORMATS = ("png", "tiff")
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "png": {"compress_level": 6},  # for "small"; 9 takes three times as long for a hundredth less
    "jpeg": {"quality": 95, "subsampling": 0},
    # Lossless: quality and method are efforts. Method 4, the default, takes 4 to 20 times as long.
    "webp": {"lossless": True, "quality": 20, "method": 0},
    "tiff": {"compression": "tiff_adobe_deflate"},
    "bmp": {},
}
# What Pillow's decoders raise on damaged files.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError)
# What they raise on sizes and metadata that a format cannot hold.
_ENCODE_ERRORS = (OSError, ValueError, OverflowError, RuntimeError, TypeError, AttributeError, struct.error)
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Picture:
    """A decoded image.

    Args:
        colour: ``(C, H, W)`` float32 in [0, 1]; C is 3 (RGB) or 1 (grey).
        alpha: ``(1, H, W)`` uint8, or None if opaque.
        format: a key of ``MEDIA_TYPES``.
        bits: per channel, 8 or 16.
        metadata: what the file is saved with: ICC profile, EXIF, resolution.
    """

    colour: Pixels
    alpha: NDArray[np.uint8] | None = None
    format: str = "png"
    bits: int = 8
    metadata: dict[str, Any] = field(default_factory=dict)

    def with_colour(self, colour: Pixels) -> Picture:
        """The same picture with other colours."""
        return replace(self, colour=colour)


def decode(data: bytes, max_pixels: int = MAX_PIXELS, page: int | None = None) -> Picture:
    """Read an image file.

    Args:
        data: the file.
        max_pixels: that its header may announce.
        page: which of its frames or pages, from 0; None refuses files with several.

    Raises:
        ImageTooLargeError: its header announces more than ``max_pixels``; nothing is decoded.
        ImageError: empty, not an image, damaged, animated, or of a kind that is not supported.
    """
    if not data:
        raise ImageError("the image is empty (0 bytes), expected an image file")
    try:
        with Image.open(BytesIO(data), formats=_READ_FORMATS) as file:
            file.seek(page or 0)
            width, height = file.size
            if width * height > max_pixels:
                raise ImageTooLargeError(
                    f"the image is {width} x {height}, expected at most {max_pixels} pixels"
                )
            previews = file.format == "MPO"  # a phone's JPEG: the picture, then smaller ones
            if page is None and not previews and _has_more_frames(file):
                raise ImageError("the image has several frames or pages, expected a single one")
            kind = "jpeg" if previews else str(file.format).lower()
            _check_transparency(file)
            file.load()
            upright = _upright(file)
            return _to_picture(upright, kind, _metadata(file, upright))
    except UnidentifiedImageError as error:
        raise ImageError(f"not a readable image, expected one of: {', '.join(MEDIA_TYPES)}") from error
    except _BOMBS as error:
        raise ImageTooLargeError(f"the image has too many pixels, expected at most {max_pixels}") from error
    except (ImageError, MemoryError):
        raise
    except DECODE_ERRORS as error:
        raise ImageError(f"the image is damaged and cannot be decoded ({error})") from error


def encode(picture: Picture, format: str | None = None, compression: Compression = "fast") -> bytes:
    """Write ``picture`` as a file of ``format``, its own by default.

    Values are rounded to 8 bits, or to 16 where the picture has them and the format can.

    Args:
        picture: what is written.
        format: a key of ``MEDIA_TYPES``.
        compression: of PNG files, one of ``COMPRESSIONS``; the pixels are the same.

    Raises:
        ImageError: an unknown format or compression, or a format that cannot hold the picture:
            its transparency, its size, or its metadata.
    """
    format = format or picture.format
    if format not in MEDIA_TYPES:
        raise ImageError(f"format is {format!r}, expected one of: {', '.join(MEDIA_TYPES)}")
    if compression not in COMPRESSIONS:
        raise ImageError(f"compression is {compression!r}, expected one of: {', '.join(COMPRESSIONS)}")
    if picture.alpha is not None and format in _OPAQUE_FORMATS:
        raise ImageError(f"{format} cannot hold the image's transparency, expected png, webp or tiff")
    deep = picture.bits == 16 and format in _DEEP_FORMATS
    pixels = _deep_pixels(picture) if deep else _pixels(picture)
    try:
        if format == "png" and compression == "fast":
            return png.write(pixels, picture.metadata)
        return _saved(pixels, picture, format)
    except _ENCODE_ERRORS as error:
        raise ImageError(f"{format} cannot hold the image ({error})") from error


def _saved(pixels: NDArray[Any], picture: Picture, format: str) -> bytes:
    """The file that Pillow writes."""
    options = _SAVE_OPTIONS[format] | picture.metadata
    if format == "tiff" and "exif" in options:
        exif = Image.Exif()
        exif.load(options["exif"])
        kept = _describing(exif)
        options["exif"] = kept.tobytes()
        if any(nested in kept for nested in NESTED):
            del options["compression"]  # libtiff, which compresses, cannot write nested directories
    buffer = BytesIO()
    _image(pixels).save(buffer, format.upper(), **options)
    return buffer.getvalue()


def _has_more_frames(file: ImageFile) -> bool:
    """Whether there is a second frame; counting them all would take minutes on hostile files."""
    try:
        file.seek(1)
    except EOFError:
        return False
    return True


def _upright(file: ImageFile) -> Image.Image:
    """The picture as EXIF's orientation says; most need no turn, and no copy."""
    turned = file.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(file) if turned else file


def _check_transparency(file: ImageFile) -> None:
    """Refuse a PNG's transparent colour where Pillow reads its bits wrongly or not at all."""
    if file.format == "PNG" and "transparency" in file.info and file.mode != "P":
        layout = file.tile[0][3] if file.tile else None
        if layout not in ("L", "RGB"):
            raise ImageError(
                "a transparent colour in a PNG of 1, 2, 4 or 16 bits cannot be read, expected 8 bits"
            )


def _metadata(file: ImageFile, upright: Image.Image) -> dict[str, Any]:
    kept = {"icc_profile": file.info.get("icc_profile"), "dpi": _dpi(file), "exif": _exif(file, upright)}
    return {key: value for key, value in kept.items() if value}


def _dpi(file: ImageFile) -> tuple[float, float] | None:
    if isinstance(file, TiffImageFile) and X_RESOLUTION not in file.tag_v2:
        return None  # where a TIFF says nothing, Pillow says 1
    try:
        horizontal, vertical = (float(value) for value in file.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (horizontal, vertical) if 0 < horizontal <= 65535 and 0 < vertical <= 65535 else None


def _exif(file: ImageFile, upright: Image.Image) -> bytes:
    """EXIF data without orientation; of a TIFF, whose own tags they are among, those that describe."""
    exif = _describing(file.getexif()) if isinstance(file, TiffImageFile) else upright.getexif()
    try:
        return exif.tobytes() if exif else b""
    except _ENCODE_ERRORS:  # damaged beyond writing; the picture is not
        return b""


def _describing(tags: Image.Exif) -> Image.Exif:
    """Those that describe the picture: in a TIFF, others of the same directory lay out its pixels."""
    exif = Image.Exif()
    exif.update({tag: tags[tag] for tag in TIFF_DESCRIPTION if tag in tags})
    for nested in NESTED:
        if found := tags.get_ifd(nested):
            exif.get_ifd(nested).update(found)
            exif[nested] = exif.get_ifd(nested)
    return exif


def _to_picture(image: Image.Image, kind: str, metadata: dict[str, Any]) -> Picture:
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float32) / np.float32(65535)
        return Picture(values[None], None, kind, 16, metadata)
    if image.mode == "1":
        image = image.convert("L")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        transparent = image.mode == "PA" or "transparency" in image.info
        grey = image.mode in ("L", "1")
        image = image.convert(("LA" if grey else "RGBA") if transparent else "RGB")
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ImageError(f"pixels are of kind {image.mode!r}, expected grey or RGB, with or without alpha")
    rows = np.frombuffer(image.tobytes(), dtype=np.uint8)
    pixels = rows.reshape(image.height, image.width, -1).transpose(2, 0, 1)
    colours = 1 if image.mode in ("L", "LA") else 3
    alpha = pixels[colours:].copy() if len(pixels) > colours else None
    colour = pixels[:colours].astype(np.float32, order="C") / np.float32(255)
    return Picture(colour, alpha, kind, 8, metadata)


def _pixels(picture: Picture) -> NDArray[np.uint8]:
    """``(H, W, C)``, with alpha last."""
    pixels = rounded(picture.colour, 255).astype(np.uint8)
    if picture.alpha is not None:
        pixels = np.concatenate([pixels, picture.alpha])
    return np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _deep_pixels(picture: Picture) -> NDArray[np.uint16]:
    """``(H, W, 1)``."""
    return rounded(picture.colour[0], 65535).astype(np.uint16)[..., None]


def rounded(values: Pixels, largest: int) -> Pixels:
    """From [0, 1] to whole numbers in [0, ``largest``], as ``metrics.to_bytes`` does it."""
    scaled = values * np.float32(largest)
    np.rint(scaled, out=scaled)
    return scaled.clip(0, largest, out=scaled)


def _image(pixels: NDArray[Any]) -> Image.Image:
    height, width, channels = pixels.shape
    mode = "I;16" if pixels.itemsize == 2 else {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    return Image.frombytes(mode, (width, height), pixels.tobytes())
