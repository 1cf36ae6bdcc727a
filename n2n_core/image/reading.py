"""Read image files."""

from __future__ import annotations

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

_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_SINGLE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MOST_RUN_LENGTH_PIXELS = 2**22
"""Most pixels of a BMP compressed by run lengths. Pillow fills its lines pixel by pixel, in Python."""

_SHALLOW_KEYS = {"L;2": 85, "L;4": 17}
"""Factors for a PNG's transparent grey of 2 and 4 bits: Pillow scales the pixels by them."""


def decode(data: bytes, max_pixels: int = MAX_PIXELS, page: int | None = None) -> Picture:
    """Read an image file.

    Args:
        data: the file.
        max_pixels: most pixels that the header may announce.
        page: page of a TIFF, from 0; None rejects files with several pages.

    Raises:
        ImageTooLargeError: its header announces more than ``max_pixels``; nothing is decoded.
        ImageError: the file is empty, not an image, damaged, animated, or of an unsupported kind.
    """
    return read_samples(data, max_pixels, page).picture()


def read_samples(
    data: bytes, max_pixels: int = MAX_PIXELS, page: int | None = None, place: int | None = None
) -> Decoded:
    """Read an image file as ``decode`` does, but keep the file's own depth and scale.

    ``place`` is one of those that ``find_pages`` found: to go through a long list for each page takes long.
    """
    with _explained(data, max_pixels):
        if not tiff.is_tiff(data):
            return _single(data, max_pixels, page)
        reader = Reader(data)
        if place is None:
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
    """Read all pages of an image file as pictures; see ``read_pages``."""
    return [page.picture() for page in read_pages(data, max_pixels, max_pages)]


def read_pages(data: bytes, max_pixels: int = MAX_PIXELS, max_pages: int = MAX_PAGES) -> list[Decoded]:
    """Read all pages of an image file; only TIFFs have several.

    Args:
        data: the file.
        max_pixels: most pixels of all pages together.
        max_pages: most pages.

    Raises:
        ImageTooLargeError: the file announces more pixels; nothing is decoded.
        TooManyPagesError: the file has more pages.
        ImageError: see ``decode``.
    """
    if not tiff.is_tiff(data):
        return [read_samples(data, max_pixels)]
    with _explained(data, max_pixels):
        reader, directories, left = Reader(data), list[Directory](), max_pixels
        for place in tiff.pages(reader):
            if len(directories) == max_pages:
                raise TooManyPagesError(
                    f"the image has more than {max_pages} pages, expected at most that many"
                )
            directory = reader.read(place)
            left -= tiff.check_size(directory, max_pixels)
            if left < 0:
                raise ImageTooLargeError(f"the image's pages have more than {max_pixels} pixels together")
            directories.append(directory)
        if not directories:
            raise ImageError("the image has no pages, expected at least one")
        return [_page(reader, directory) for directory in directories]


def find_pages(data: bytes, most: int) -> list[int]:
    """Find the pages of a file, up to ``most + 1``, without decoding them: the place of each in a TIFF.

    Raises:
        ImageError: the file is damaged.
    """
    if not tiff.is_tiff(data):
        return [0]
    with _explained(data, 0):
        return list(islice(tiff.pages(Reader(data)), most + 1))


@contextmanager
def _explained(data: bytes, max_pixels: int) -> Iterator[None]:
    """Turn errors of decoders into ``ImageError``."""
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
    except Exception as error:  # decoders raise nearly anything on damaged files
        raise ImageError(f"the image is damaged and cannot be decoded ({error})") from error


def _single(data: bytes, max_pixels: int, page: int | None) -> Decoded:
    """Read a file of any format but TIFF."""
    if data.startswith(jpeg.START):
        jpeg.check(data)
    elif data.startswith(png.SIGNATURE):
        data = png.needed(data)
    with Image.open(BytesIO(data), formats=_SINGLE_FORMATS) as file:
        width, height = file.size
        if width * height > max_pixels:
            raise ImageTooLargeError(f"the image is {width} x {height}, expected at most {max_pixels} pixels")
        if file.tile and file.tile[0].codec_name == "bmp_rle" and width * height > MOST_RUN_LENGTH_PIXELS:
            most = f"expected at most {MOST_RUN_LENGTH_PIXELS} pixels with this compression"
            raise ImageTooLargeError(f"the image is {width} x {height}, compressed by run lengths, {most}")
        previews = file.format == "MPO"  # a phone's JPEG: the picture, then smaller previews
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
    """Read a page of a TIFF."""
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
    """Return whether there is a second frame. Counting all of them could take minutes for a hostile file."""
    try:
        file.seek(1)
    except EOFError:
        return False
    file.seek(0)
    return True


def _pixels(image: Image.Image, profiled: bool) -> Samples:
    """Return what Pillow has loaded as ``(H, W, C)``: grey or RGB, perhaps with alpha."""
    if image.mode.startswith("I;16"):
        return np.asarray(image)[..., None].astype(np.uint16)
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode == "P":
        image = image.convert(_unfolded(image, profiled))
    elif image.mode == "PA":
        image = image.convert("RGBA")
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ImageError(f"the pixel mode is {image.mode!r}, expected grey or RGB, with or without alpha")
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, -1)


def _unfolded(image: Image.Image, profiled: bool) -> str:
    """Return the mode of a palette's colours: grey if all of them are and there is no colour profile."""
    grey = False
    if not profiled:
        colours = np.frombuffer(bytes(image.getpalette("RGB") or b""), np.uint8).reshape(-1, 3)
        grey = bool((colours == colours[:, :1]).all())
    if "transparency" in image.info:
        return "LA" if grey else "RGBA"
    return "L" if grey else "RGB"


def _keyed(pixels: Samples, file: ImageFile, layout: Any) -> Samples:
    """Add the alpha of a PNG's transparent colour; palettes have theirs already."""
    key = file.info.get("transparency")
    if key is None or file.mode == "P":
        return pixels
    colour = np.multiply(key, _SHALLOW_KEYS.get(layout, 1))
    opaque = (pixels != colour).any(axis=2, keepdims=True)
    return np.concatenate([pixels, opaque * np.array(np.iinfo(pixels.dtype).max, pixels.dtype)], axis=2)
