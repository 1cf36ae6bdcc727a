"""Reads picture files into arrays ``(C, H, W)`` of their own depth: uint8, uint16 or float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from n2n_core import image
from n2n_core.errors import DataError, ImageError, ImageTooLargeError, LimitError
from n2n_core.files import read_regular
from n2n_core.image import MAX_PIXELS

Array = NDArray[Any]

PLAUSIBLE = (-2.0, 3.0)
"""Range of 98 % of the values of a float picture that is nominally in [0, 1], with heavy noise."""

LARGEST = 1e6
"""Largest value, relative to white. The squares of larger ones overflow when noise is measured."""

KEPT_BYTES = 2**28
"""Most bytes of files that are kept for their further pages."""

DTYPES = {"uint8": 255, "uint16": 65535, "float32": 1}
"""Data types that are stored, with the value of white in each."""


def is_picture(name: str) -> bool:
    """Return whether the suffix is that of a picture format that can be read."""
    return Path(name).suffix.lower() in image.SUFFIXES


class PictureFiles:
    """Reads picture files. The last ones are kept: each page of a TIFF is asked for by itself."""

    def __init__(self, most: int = KEPT_BYTES) -> None:
        self.most, self.kept = most, dict[Path, bytes]()

    def read(self, path: Path, name: str) -> bytes:
        """Return the content of a file."""
        if path not in self.kept:
            content = read_regular(path, name)
            self.kept[path] = content
            while len(self.kept) > 1 and sum(map(len, self.kept.values())) > self.most:
                del self.kept[next(iter(self.kept))]
        return self.kept[path]

    def find_pages(self, path: Path, name: str, most: int) -> list[int]:
        """Return the places of the pages of a TIFF; one for other formats.

        Raises:
            DataError: the file is damaged.
            LimitError: it has more than ``most`` pages.
        """
        if Path(name).suffix.lower() not in (".tif", ".tiff"):
            return [0]
        try:
            found = image.find_pages(self.read(path, name), most)
        except ImageError as error:
            raise DataError(f"{name}: {error}") from error
        if len(found) > most:
            raise LimitError("frames", f"{name}: more than {most} pages, expected at most that many")
        return found

    def picture(self, path: Path, name: str, place: int | None = None, max_pixels: int = MAX_PIXELS) -> Array:
        """Read one picture without its transparency; ``place`` is that of its page, if there are several.

        Raises:
            DataError: it cannot be read. The message has its name.
            LimitError: according to its header it has more than ``max_pixels`` pixels.
        """
        return _read(self.read(path, name), name, place, max_pixels)


def _read(data: bytes, name: str, place: int | None, max_pixels: int) -> Array:
    try:
        return np.ascontiguousarray(image.read_samples(data, max_pixels, place=place).colour)
    except ImageTooLargeError as error:
        raise LimitError("pixels", f"{name}: {error}") from error
    except ImageError as error:
        raise DataError(f"{name}: {error}") from error


def to_stored(values: Array, name: str, data_range: float | None = None) -> Array:
    """Convert ``values`` to a stored data type, divided by ``data_range`` if given. Floats are checked.

    Raises:
        DataError: the data type cannot be stored, or values are not finite or far outside [0, 1].
    """
    if values.dtype.kind not in "fu" or (values.dtype.kind == "u" and values.dtype.itemsize > 2):
        raise DataError(f"{name}: values are {values.dtype}, expected uint8, uint16 or floats")
    if values.dtype.kind == "u" and data_range is None:
        return values.astype(values.dtype.newbyteorder("<"))
    floats = values.astype("<f4")
    if not np.isfinite(floats).all():
        raise DataError(f"{name}: contains values that are not finite, expected numbers")
    if data_range is not None:
        with np.errstate(all="ignore"):  # the result is checked below
            floats /= np.float32(data_range)
        if not (np.abs(floats) <= LARGEST).all():
            got = f"divided by the data range {data_range:g}, values are"
            raise DataError(f"{name}: {got} larger than {LARGEST:g}, expected about 0 to 1", "data_range")
        return floats
    low, high = np.percentile(floats, [1, 99]) if floats.size else (0, 0)
    if low < PLAUSIBLE[0] or high > PLAUSIBLE[1]:
        got = f"values go from {floats.min():g} to {floats.max():g}"
        raise DataError(
            f"{name}: {got}, expected about 0 to 1; give the value of white as the data range (1 keeps them)",
            "data_range",
        )
    return floats
