"""Picture files to arrays of their own depth: ``(C, H, W)``, uint8, uint16 or float32."""

from __future__ import annotations

import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from n2n_core.errors import DataError, ImageError, ImageTooLargeError, LimitError
from n2n_core.image import BOMBS, DECODE_ERRORS, MAX_PIXELS, SUFFIXES, decode, tile_pixels

Array = NDArray[Any]

SWAPPED = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBA")
    for order, other in (("L", "B"), ("B", "L"), ("N", "B" if sys.byteorder == "little" else "L"))
}
"""Pillow keeps the upper byte of 16-bit colours; read in the other byte order, the lower one."""

PLAUSIBLE = (-2.0, 3.0)
"""Where 98 % of a float picture's values lie if it is nominally in [0, 1], heavy noise included."""

LARGEST = 1e6
"""What a value may be, in that of white: beyond it, squares overflow where noise is measured."""

DTYPES = {"uint8": 255, "uint16": 65535, "float32": 1}
"""What is stored, and what it is divided by."""


def is_picture(name: str) -> bool:
    """Whether the suffix is one of a picture that can be read."""
    return Path(name).suffix.lower() in SUFFIXES


def count_pages(path: Path, name: str, most: int) -> int:
    """Pages of a TIFF; 1 for other pictures."""
    if Path(name).suffix.lower() not in (".tif", ".tiff"):
        return 1

    pages = int(_with_file(path.read_bytes(), name, None, lambda file: _count(file, most)))
    if pages > most:
        raise LimitError("frames", f"{name}: more pages than the {most} allowed")
    return pages


def read_picture(path: Path, name: str, page: int | None = None, max_pixels: int = MAX_PIXELS) -> Array:
    """One picture, its transparency left out.

    Raises:
        DataError: it cannot be read; the message names it.
        LimitError: its header announces more than ``max_pixels``.
    """
    data = path.read_bytes()
    kind = _with_file(data, name, page, lambda file: _kind(file, max_pixels))
    if kind == "float":
        return np.asarray(_with_file(data, name, page, _pixels))[None]
    if kind == "deep":
        upper = _with_file(data, name, page, _pixels).astype(np.uint16)
        deep = (upper << 8) | _with_file(data, name, page, _lower_bytes)
        return np.ascontiguousarray(deep[..., :3].transpose(2, 0, 1))
    try:
        picture = decode(data, max_pixels, page)
    except ImageTooLargeError as error:
        raise LimitError("pixels", f"{name}: {error}") from error
    except ImageError as error:
        raise DataError(f"{name}: {error}") from error
    dtype = np.uint16 if picture.bits == 16 else np.uint8
    values: Array = np.rint(picture.colour * np.float32(np.iinfo(dtype).max)).astype(dtype)
    return values


def to_stored(values: Array, name: str, data_range: float | None = None) -> Array:
    """``values`` as they are kept: divided by ``data_range`` where given, floats then checked.

    Raises:
        DataError: of a type that cannot be kept, not finite, or far outside [0, 1].
    """
    if values.dtype.kind not in "fu" or (values.dtype.kind == "u" and values.dtype.itemsize > 2):
        raise DataError(f"{name}: values are {values.dtype}, expected uint8, uint16 or floats")
    if values.dtype.kind == "u" and data_range is None:
        return values.astype(values.dtype.newbyteorder("<"))
    floats = values.astype("<f4")
    if not np.isfinite(floats).all():
        raise DataError(f"{name}: holds values that are not finite, expected numbers")
    if data_range is not None:
        with np.errstate(all="ignore"):  # what that makes of them is looked at
            floats /= np.float32(data_range)
        if not (np.abs(floats) <= LARGEST).all():
            got = f"divided by the data range {data_range:g} values are"
            raise DataError(f"{name}: {got} larger than {LARGEST:g}, expected about 0 to 1")
        return floats
    low, high = np.percentile(floats, [1, 99]) if floats.size else (0, 0)
    if low < PLAUSIBLE[0] or high > PLAUSIBLE[1]:
        got = f"values go from {floats.min():g} to {floats.max():g}"
        raise DataError(
            f"{name}: {got}, expected about 0 to 1; give the value of white as data range (1 keeps them)"
        )
    return floats


def _with_file(data: bytes, name: str, page: int | None, use: Callable[[ImageFile], Any]) -> Any:
    try:
        with Image.open(BytesIO(data)) as file:
            file.seek(page or 0)
            return use(file)
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not a readable picture") from error
    except BOMBS as error:
        raise LimitError("pixels", f"{name}: too many pixels ({error})") from error
    except DECODE_ERRORS as error:
        raise DataError(f"{name}: the picture is damaged ({error})") from error


def _count(file: ImageFile, most: int) -> int:
    pages = 1
    try:
        while pages <= most:
            file.seek(pages)
            pages += 1
    except EOFError:
        pass
    return pages


def _kind(file: ImageFile, max_pixels: int) -> str:
    """``float`` or ``deep`` (16-bit colour), which ``decode`` does not know; else nothing."""
    if max(file.width * file.height, tile_pixels(file)) > max_pixels:
        return ""  # decode refuses it
    if file.mode == "F":
        return "float"
    return "deep" if file.tile and all(_layout(tile) in SWAPPED for tile in file.tile) else ""


def _layout(tile: Any) -> str:
    layout: str = tile.args if isinstance(tile.args, str) else next(iter(tile.args or ()), "")
    return layout


def _pixels(file: ImageFile) -> Array:
    """``(H, W)`` or ``(H, W, C)``, upright."""
    return np.array(ImageOps.exif_transpose(file))


def _lower_bytes(file: ImageFile) -> Array:
    """Of 16-bit colours."""
    for index, tile in enumerate(file.tile):
        swapped = SWAPPED[_layout(tile)]
        args = (swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped
        file.tile[index] = tile._replace(args=args)
    return _pixels(file)
