"""Write TIFF files of any depth and number of pages, compressed with deflate by Intel's ISA-L.

Source: TIFF revision 6.0, and Adobe's technical notes on deflate and on the predictor.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from isal import isal_zlib

from n2n_core.image import tiff
from n2n_core.image.directory import LONG, SHORT, Directory, Field
from n2n_core.image.directory import write as directory_bytes
from n2n_core.image.picture import Samples

STRIP_BYTES = 2**18
LEVEL = 1
"""Compression level of ISA-L."""


def write(pages: Sequence[tuple[Samples, Directory]]) -> bytes:
    """Write pages, ``(H, W, C)`` uint8, uint16 or float32 with alpha last, each with its tags.

    Raises:
        ValueError: a page has no pixels.
        struct.error: the file would be larger than 4 GiB.
    """
    pieces, at = [b""], 8  # after the header
    ends = []
    for pixels, described in pages:
        if not pixels.size:
            size = f"{pixels.shape[1]} x {pixels.shape[0]}"
            raise ValueError(f"the image is {size}, expected at least one pixel")
        strips = [isal_zlib.compress(strip, LEVEL) for strip in _strips(pixels)]
        starts = np.cumsum([at, *map(len, strips)]).tolist()
        padding = bytes(starts[-1] % 2)
        directory = Directory(described | _structure(pixels, starts))
        content = directory_bytes(directory, starts[-1] + len(padding))
        pieces += [*strips, padding, content]
        ends.append((len(pieces) - 1, starts[-1] + len(padding), directory))
        at = starts[-1] + len(padding) + len(content)
    pieces[0] = struct.pack("<2sHI", b"II", 42, ends[0][1])
    for (piece, place, directory), (_, following, _) in pairwise(ends):
        pieces[piece] = directory_bytes(directory, place, following)
    return b"".join(pieces)


def _structure(pixels: Samples, starts: Sequence[int]) -> Directory:
    """Return the fields on the storage of pixels. ``starts`` are the offsets of the strips, and their end."""
    height, width, channels = pixels.shape
    colours = 1 if channels < 3 else 3
    floats = pixels.dtype.kind == "f"
    sizes = [after - before for before, after in pairwise(starts)]
    numbers = {
        tiff.WIDTH: width, tiff.HEIGHT: height, tiff.STRIPS: starts[:-1], tiff.STRIP_SIZES: sizes,
        tiff.ROWS: _rows(pixels),
    }  # fmt: skip
    kinds = {
        tiff.BITS: [pixels.itemsize * 8] * channels, tiff.COMPRESSION: tiff.DEFLATE, tiff.CHANNELS: channels,
        tiff.PHOTOMETRIC: tiff.GREY if colours == 1 else tiff.RGB, tiff.PLANAR: 1,
        tiff.PREDICTOR: 1 if floats else tiff.DIFFERENCES,
        tiff.FORMAT: [tiff.FLOAT if floats else tiff.UINT] * channels,
        tiff.EXTRA: [tiff.ALPHA] * (channels - colours),
    }  # fmt: skip
    return Directory(
        {tag: Field.of(LONG, np.atleast_1d(value)) for tag, value in numbers.items()}
        | {tag: Field.of(SHORT, np.atleast_1d(value)) for tag, value in kinds.items()}
    )


def _strips(pixels: Samples) -> Iterator[Samples]:
    """Yield the rows of each strip, little-endian. Integers are differences to their left neighbours."""
    step = _rows(pixels)
    for top in range(0, len(pixels), step):
        rows = pixels[top : top + step].astype(pixels.dtype.newbyteorder("<"))
        if rows.dtype.kind == "u":
            rows[:, 1:] -= rows[:, :-1].copy()
        yield rows


def _rows(pixels: Samples) -> int:
    return min(max(STRIP_BYTES // int(pixels[0].nbytes), 1), len(pixels))
