"""Image files to arrays."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from n2n_core.errors import ImageError, ImageTooLargeError, TooManyPagesError
from n2n_core.image import jpeg, metadata, png, tiff, tiff_samples
from n2n_core.image.directory import Directory, Reader
from n2n_core.image.picture import MAX_PAGES, MAX_PIXELS, MEDIA_TYPES, Decoded, Picture, Samples

# What decoders raise on damaged files.
DECODE_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError, OverflowError,
)  # fmt: skip
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_SINGLE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MAX_SCANS = 100
"""Of a JPEG: each goes over the whole picture, for a few bytes of the file; usual ones have about ten."""

_SHALLOW_KEYS = {"L;2": 85, "L;4": 17}
"""What a PNG's transparent grey of 2 and 4 bits is multiplied by, as Pillow does with its pixels."""


def decode(data: bytes, max_pixels: int = MAX_PIXELS, page: int | None = None) -> Picture:
    """Read an image file.

    Args:
        data: the file.
        max_pixels: that its header may announce.
        page: which of a TIFF's pages, from 0; None refuses files with several.

    Raises:
        ImageTooLargeError: its header announces more than ``max_pixels``; nothing is decoded.
        ImageError: empty, not an image, damaged, animated, or of a kind that is not supported.
    """
    return read_samples(data, max_pixels, page).picture()


def read_samples(data: bytes, max_pixels: int = MAX_PIXELS, page: int | None = None) -> Decoded:
    """What ``decode`` reads, as integers or floats of the file's own depth and scale."""
    with _explained(data, max_pixels):
        if not tiff.is_tiff(data):
            return _single(data, max_pixels, page)
        reader = Reader(data)
        places = islice(tiff.pages(reader), page or 0, None)
        place = next(places, None)
        if place is None:
            raise ImageError(f"the image has no page {page or 0}, counted from 0")
        if page is None and next(places, None):
            raise ImageError("the image has several frames or pages, expected a single one")
        directory = reader.read(place)
        tiff.check_size(directory, max_pixels)
        return _page(reader, directory)


def decode_pages(data: bytes, max_pixels: int = MAX_PIXELS, max_pages: int = MAX_PAGES) -> list[Picture]:
    """Read an image file, of a TIFF all pages.

    Args:
        data: the file.
        max_pixels: of all pages together.
        max_pages: how many.

    Raises:
        ImageTooLargeError: it announces more pixels; nothing is decoded.
        TooManyPagesError: it has more pages.
        ImageError: see ``decode``.
    """
    if not tiff.is_tiff(data):
        return [decode(data, max_pixels)]
    with _explained(data, max_pixels):
        reader, directories, left = Reader(data), list[Directory](), max_pixels
        for place in tiff.pages(reader):
            if len(directories) == max_pages:
                raise TooManyPagesError(f"the image has more pages than the {max_pages} that are allowed")
            directory = reader.read(place)
            left -= tiff.check_size(directory, max_pixels)
            if left < 0:
                raise ImageTooLargeError(f"the image's pages have together more than {max_pixels} pixels")
            directories.append(directory)
        if not directories:
            raise ImageError("the image has no pages, expected at least one")
        return [_page(reader, directory).picture() for directory in directories]


def count_pages(data: bytes, most: int) -> int:
    """The pages of a file, at most ``most`` and one; nothing is decoded.

    Raises:
        ImageError: damaged.
    """
    if not tiff.is_tiff(data):
        return 1
    with _explained(data, 0):
        return sum(1 for _ in islice(tiff.pages(Reader(data)), most + 1))


@contextmanager
def _explained(data: bytes, max_pixels: int) -> Iterator[None]:
    """Errors of decoders as ours."""
    if not data:
        raise ImageError("the image is empty (0 bytes), expected an image file")
    try:
        yield
    except UnidentifiedImageError as error:
        raise ImageError(f"not a readable image, expected one of: {', '.join(MEDIA_TYPES)}") from error
    except _BOMBS as error:
        raise ImageTooLargeError(f"the image has too many pixels, expected at most {max_pixels}") from error
    except (ImageError, MemoryError):
        raise
    except DECODE_ERRORS as error:
        raise ImageError(f"the image is damaged and cannot be decoded ({error})") from error


def _single(data: bytes, max_pixels: int, page: int | None) -> Decoded:
    """A file of any format but TIFF."""
    with Image.open(BytesIO(data), formats=_SINGLE_FORMATS) as file:
        width, height = file.size
        if width * height > max_pixels:
            raise ImageTooLargeError(f"the image is {width} x {height}, expected at most {max_pixels} pixels")
        if file.format in ("JPEG", "MPO") and (scans := jpeg.count_scans(data)) > MAX_SCANS:
            raise ImageTooLargeError(f"the image has {scans} scans, expected at most {MAX_SCANS}")
        previews = file.format == "MPO"  # a phone's JPEG: the picture, then smaller ones
        if page:
            raise ImageError(f"the image has no page {page}, counted from 0")
        if not previews and _is_animated(file):
            raise ImageError("the image has several frames or pages, expected a single one")
        layout = file.tile[0].args if file.tile else None
        if isinstance(file, PngImageFile) and png.is_deep(file):
            pixels = png.read_deep(file, data)
        else:
            file.load()
            pixels = _pixels(file, "icc_profile" in file.info)
        kind = "jpeg" if previews else str(file.format).lower()
        described, orientation = metadata.of_file(file)
        if kind == "png":
            pixels = _keyed(pixels, file, layout)
            if chunks := png.colour_space(data):
                described["png"] = chunks
        return _decoded(pixels, kind, described, orientation)


def _page(reader: Reader, directory: Directory) -> Decoded:
    """A page of a TIFF."""
    found = tiff_samples.read(reader, directory)
    if isinstance(found, Image.Image):
        with found as file:
            file.load()
            found = _pixels(file, metadata.ICC_PROFILE in directory)
    return _decoded(found, "tiff", *metadata.of_page(directory))


def _decoded(pixels: Samples, kind: str, described: dict[str, Any], orientation: int) -> Decoded:
    planes = metadata.upright(pixels.transpose(2, 0, 1), orientation)
    colours = 1 if len(planes) < 3 else 3
    return Decoded(planes[:colours], planes[colours:] if len(planes) > colours else None, kind, described)


def _is_animated(file: ImageFile) -> bool:
    """Whether there is a second frame; counting them all would take minutes on hostile files."""
    try:
        file.seek(1)
    except EOFError:
        return False
    file.seek(0)
    return True


def _pixels(image: Image.Image, profiled: bool) -> Samples:
    """``(H, W, C)`` of what Pillow has loaded: grey or RGB, perhaps with alpha."""
    if image.mode.startswith("I;16"):
        return np.asarray(image)[..., None].astype(np.uint16)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode == "P":
        image = image.convert(_unfolded(image, profiled))
    elif image.mode == "PA":
        image = image.convert("RGBA")
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ImageError(f"pixels are of kind {image.mode!r}, expected grey or RGB, with or without alpha")
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)


def _unfolded(image: Image.Image, profiled: bool) -> str:
    """The mode of a palette's colours: grey if all are, unless a profile says what colours mean."""
    grey = False
    if not profiled:
        colours = np.frombuffer(bytes(image.getpalette("RGB") or b""), np.uint8).reshape(-1, 3)
        grey = bool((colours == colours[:, :1]).all())
    if "transparency" in image.info:
        return "LA" if grey else "RGBA"
    return "L" if grey else "RGB"


def _keyed(pixels: Samples, file: ImageFile, layout: Any) -> Samples:
    """With the alpha of a PNG's transparent colour; palettes have theirs already."""
    key = file.info.get("transparency")
    if key is None or file.mode == "P":
        return pixels
    colour = np.multiply(key, _SHALLOW_KEYS.get(layout, 1))
    opaque = (pixels != colour).any(axis=2, keepdims=True)
    return np.concatenate([pixels, opaque * np.array(np.iinfo(pixels.dtype).max, pixels.dtype)], axis=2)
