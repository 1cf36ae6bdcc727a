"""TIFF files: find their pages, and extract a page as a file of its own.

Decoders only get a page that was checked and extracted, so they never see other parts of a hostile file.

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
"""Pixels that a tile may always have: tiles are larger than small pictures."""

MOST_CHANNELS = 8
MOST_PARTS = 2**18
"""Most strips or tiles of a page: the 16 x 16 tiles of the largest picture."""

SLACK = 2**22
"""Bytes that strips or tiles may have beyond those of the pixels: tiles are larger than small pictures."""

# Tags that decoding a page needs.
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
            raise ImageError("the image is damaged: its pages follow each other in a circle")
        seen.add(place)
        yield place
        place = reader.following(place)


def check_size(page: Directory, max_pixels: int) -> int:
    """Return the number of the page's pixels.

    Raises:
        ImageTooLargeError: it announces more than ``max_pixels``, or tiles that are larger.
        ImageError: it has none.
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
        ImageError: its strips or tiles are not those that its size asks for, or lie outside the file.
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
    """Return the strips or tiles of a plane."""
    width, height = page.number(WIDTH, 0), page.number(HEIGHT, 0)
    if not tiled:
        return ceil(height / min(max(page.number(ROWS, height), 1), height))
    across, down = page.number(TILE_WIDTH, 0), page.number(TILE_HEIGHT, 0)
    if not across * down:
        raise ImageError(f"the image's tiles are {across} x {down}, expected at least one pixel")
    return ceil(width / across) * ceil(height / down)


def _strip_sizes(page: Directory, parts: int, separate: bool) -> tuple[int, ...]:
    """Return the sizes of uncompressed strips in a file that does not state them."""
    channels, height = page.number(CHANNELS, 1), page.number(HEIGHT, 0)
    rows = min(max(page.number(ROWS, height), 1), height)
    row = ceil(page.number(WIDTH, 0) * max(page.numbers(BITS, (1,))) * (1 if separate else channels) / 8)
    last = height - rows * (parts - 1)
    return ((rows * row,) * (parts - 1) + (last * row,)) * (channels if separate else 1)


def _joined(data: bytes, places: Sequence[int], sizes: Sequence[int]) -> tuple[bytes, list[int]]:
    """Return a TIFF header whose directory follows these parts, the parts, and each part's offset."""
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
