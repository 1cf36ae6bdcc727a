"""Picture files to arrays of their own depth: ``(C, H, W)``, uint8, uint16 or float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from n2n_core import image
from n2n_core.errors import DataError, ImageError, ImageTooLargeError, LimitError
from n2n_core.image import MAX_PIXELS

Array = NDArray[Any]

PLAUSIBLE = (-2.0, 3.0)
"""Where 98 % of a float picture's values lie if it is nominally in [0, 1], heavy noise included."""

LARGEST = 1e6
"""What a value may be, in that of white: beyond it, squares overflow where noise is measured."""

DTYPES = {"uint8": 255, "uint16": 65535, "float32": 1}
"""What is stored, and what it is divided by."""


def is_picture(name: str) -> bool:
    """Whether the suffix is one of a picture that can be read."""
    return Path(name).suffix.lower() in image.SUFFIXES


def count_pages(path: Path, name: str, most: int) -> int:
    """Pages of a TIFF; 1 for other pictures.

    Raises:
        DataError: there are more than ``most``, or the file is damaged.
    """
    if Path(name).suffix.lower() not in (".tif", ".tiff"):
        return 1
    try:
        found = image.count_pages(path.read_bytes(), most)
    except ImageError as error:
        raise DataError(f"{name}: {error}") from error
    if found > most:
        raise LimitError("frames", f"{name}: more pages than the {most} allowed")
    return found


def read_picture(path: Path, name: str, page: int | None = None, max_pixels: int = MAX_PIXELS) -> Array:
    """One picture, its transparency left out.

    Raises:
        DataError: it cannot be read; the message names it.
        LimitError: its header announces more than ``max_pixels``.
    """
    try:
        return np.ascontiguousarray(image.read_samples(path.read_bytes(), max_pixels, page).colour)
    except ImageTooLargeError as error:
        raise LimitError("pixels", f"{name}: {error}") from error
    except ImageError as error:
        raise DataError(f"{name}: {error}") from error


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
