"""Read and write image files without loss.

Everything that the networks do not change is kept: transparency, depth, colour profile, resolution, EXIF and
XMP data, and the pages of a TIFF. The EXIF orientation is applied when reading, and cleared.
"""

from n2n_core.image.picture import (
    COMPRESSIONS,
    MAX_PAGES,
    MAX_PIXELS,
    MEDIA_TYPES,
    PIXEL_LIMIT,
    SUFFIXES,
    WHITE,
    Bits,
    Compression,
    Decoded,
    Picture,
    Pixels,
)
from n2n_core.image.reading import decode, decode_pages, find_pages, read_pages, read_samples
from n2n_core.image.rounding import rounded
from n2n_core.image.writing import check_pages, encode, encode_pages

__all__ = [
    "COMPRESSIONS",
    "MAX_PAGES",
    "MAX_PIXELS",
    "MEDIA_TYPES",
    "PIXEL_LIMIT",
    "SUFFIXES",
    "WHITE",
    "Bits",
    "Compression",
    "Decoded",
    "Picture",
    "Pixels",
    "check_pages",
    "decode",
    "decode_pages",
    "encode",
    "encode_pages",
    "find_pages",
    "read_pages",
    "read_samples",
    "rounded",
]
