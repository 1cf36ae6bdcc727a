"""Find the pages of TIFF files, and extract a page into a separate file.

Decoders only receive a page that was checked and extracted, never other parts of a hostile file.

Source: TIFF revision 6.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from math import ceil

from n2n_core.errors import ImageError, ImageTooLargeError
from n2n_core.image.directory import LONG, Directory, Field, Reader, write

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIPS, CHANNELS, ROWS, STRIP_SIZES, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_SIZES, EXTRA, FORMAT = 322, 323, 324, 325, 338, 339

WHITE_IS_ZERO, GREY, RGB = 0, 1, 2
UNCOMPRESSED, OLD_JPEG, DEFLATE = 1, 6, 8
UNKNOWN_EXTRA, PREMULTIPLIED, ALPHA = 0, 1, 2
UINT, FLOAT = 1, 3
DIFFERENCES, FLOAT_DIFFERENCES = 2, 3
SMALL_TILE = 2**18
"""Pixels that a tile may have even in a smaller picture."""

MOST_CHANNELS = 8
MOST_PARTS = 2**18
"""Largest number of strips or tiles of a page: that of the largest picture in tiles of 16 x 16."""

SLACK = 2**22
"""Bytes that strips or tiles may need beyond their pixels, as tiles can be larger than the picture."""

# Tags that a decoder needs.
_NUMBERS = (
    *(WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC, FILL_ORDER, CHANNELS, ROWS, PLANAR, PREDICTOR),
    *(TILE_WIDTH, TILE_HEIGHT),
)
_LISTS = (BITS, EXTRA, FORMAT, 292, 293, 320, 347, 529, 530, 531, 532)  # fax, palette, JPEG, YCbCr


def is_tiff(data: bytes) -> bool:
    """Return whether the data start like a TIFF file."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def pages(reader: Reader) -> Iterator[int]:
    """Yield the offset of each page's directory."""
    place, seen = reader.first, set[int]()
    while place:
        if place in seen:
            raise ImageError("the image is damaged: its list of pages is circular")
        seen.add(place)
        yield place
        place = reader.following(place)


def check_size(page: Directory, max_pixels: int) -> int:
    """Return the number of pixels of the page.

    Raises:
        ImageTooLargeError: the page, or one of its tiles, has more than ``max_pixels``.
        ImageError: the page has no pixels, or too many channels.
    """
    width, height = page.number(WIDTH, 0), page.number(HEIGHT, 0)
    if not width * height:
        raise ImageError(f"the image is {width} x {height}, expected at least one pixel")
    if page.number(CHANNELS, 1) > MOST_CHANNELS:
        raise ImageError(f"the image has {page.number(CHANNELS, 1)} channels, expected 1 to 4")
    if width * height > max_pixels:
        raise ImageTooLargeError(f"the image is {width} x {height}, expected at most {max_pixels} pixels")
    across, down = page.number(TILE_WIDTH, 1), page.number(TILE_HEIGHT, 1)
    padded = ceil(width / max(across, 1)) * across * height
    if max(across * down, padded) > max(max_pixels, SMALL_TILE):
        raise ImageTooLargeError(
            f"the image's tiles are {across} x {down}, expected at most {max_pixels} pixels"
        )
    return width * height


def alone(reader: Reader, page: Directory, changes: Directory, plane: int = 0, planes: int = 1) -> bytes:
    """Return a file of one page, or of one of its planes, with some fields changed.

    Raises:
        ImageError: strips or tiles do not fit the size of the page, or lie outside the file.
        ImageTooLargeError: there are more than ``MOST_PARTS`` strips or tiles.
    """
    tiled = TILES in page or TILE_WIDTH in page
    places_tag, sizes_tag = (TILES, TILE_SIZES) if tiled else (STRIPS, STRIP_SIZES)
    separate = page.number(PLANAR, 1) == 2
    parts = _parts(page, tiled)
    whole = parts * (page.number(CHANNELS, 1) if separate else 1)
    if whole > MOST_PARTS:
        raise ImageTooLargeError(f"the image has {whole} strips or tiles, expected at most {MOST_PARTS}")
    places, sizes = (page.numbers(tag, most=whole) for tag in (places_tag, sizes_tag))
    if not sizes and page.number(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED and not tiled:
        sizes = _strip_sizes(page, parts, separate)
    if len(places) < whole or len(sizes) < whole:
        raise ImageError(f"the image has {len(places)} strips or tiles, expected {whole}: it is damaged")
    most = 8 * page.number(WIDTH, 0) * page.number(HEIGHT, 0) * page.number(CHANNELS, 1) + SLACK
    if sum(sizes) > min(most, len(reader.data)):
        raise ImageError("the image's strips or tiles are longer than their pixels: it is damaged")
    chosen = slice(plane * whole // planes, (plane + 1) * whole // planes)
    content, starts = _joined(reader.data, places[chosen], sizes[chosen])
    fields = {tag: page[tag] for tag in _LISTS if tag in page}
    fields |= {tag: Field.of(LONG, (page.number(tag, 0),)) for tag in _NUMBERS if tag in page}
    fields |= changes
    fields[places_tag], fields[sizes_tag] = Field.of(LONG, starts), Field.of(LONG, sizes[chosen])
    return content + write(Directory(fields), len(content))


def _parts(page: Directory, tiled: bool) -> int:
    """Return the number of strips or tiles of a plane."""
    width, height = page.number(WIDTH, 0), page.number(HEIGHT, 0)
    if not tiled:
        return ceil(height / min(max(page.number(ROWS, height), 1), height))
    across, down = page.number(TILE_WIDTH, 0), page.number(TILE_HEIGHT, 0)
    if not across * down:
        raise ImageError(f"the image's tiles are {across} x {down}, expected at least one pixel")
    return ceil(width / across) * ceil(height / down)


def _strip_sizes(page: Directory, parts: int, separate: bool) -> tuple[int, ...]:
    """Compute the sizes of uncompressed strips, for files that do not state them."""
    channels, height = page.number(CHANNELS, 1), page.number(HEIGHT, 0)
    rows = min(max(page.number(ROWS, height), 1), height)
    row = ceil(page.number(WIDTH, 0) * max(page.numbers(BITS, (1,))) * (1 if separate else channels) / 8)
    last = height - rows * (parts - 1)
    return ((rows * row,) * (parts - 1) + (last * row,)) * (channels if separate else 1)


def _joined(data: bytes, places: Sequence[int], sizes: Sequence[int]) -> tuple[bytes, list[int]]:
    """Return a TIFF header and the parts, after which the directory belongs, and the offset of each part."""
    pieces, starts, at = [], [], 8
    for place, size in zip(places, sizes, strict=True):
        piece = data[place : place + size]
        if len(piece) < size:
            raise ImageError("the image's strips or tiles lie outside the file: it is damaged")
        pieces.append(piece)
        starts.append(at)
        at += size
    padding = bytes(at % 2)
    return b"".join([struct.pack("<2sHI", b"II", 42, at + len(padding)), *pieces, padding]), starts
