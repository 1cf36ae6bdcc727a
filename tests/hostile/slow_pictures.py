"""Hostile image files that are made to cost far more time or memory than their pixels."""

import struct
import zlib

from PIL import Image

from tests.hostile.bombs import Entry, chunk, grey
from tests.pictures import drawn, file

LARGE = 4 * 2**20
ORIENTED: list[Entry] = [(0x0112, 3, 1, 6)]
_JPEG = file(drawn("L"), "jpeg")
MEBIBYTE = b"a\0\0" + zlib.compress(bytes(2**20 - 1), 9)
"""Of a PNG's compressed chunks: as much as Pillow inflates."""


def directory(entries: list[Entry], following: int = 0) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)


def tiff_data(entries: list[Entry]) -> bytes:
    return b"II*\0\x08\0\0\0" + directory(entries)


def segment(marker: int, content: bytes) -> bytes:
    """Of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def jpeg(*segments: bytes) -> bytes:
    """A good JPEG with more in front of its picture."""
    return _JPEG[:2] + b"".join(segments) + _JPEG[2:]


def jpeg_with(exif: bytes, xmp: bytes = b"") -> bytes:
    """A good JPEG with metadata."""
    return jpeg(segment(0xE1, b"Exif\0\0" + exif), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))


def scan_with(content: bytes) -> bytes:
    """A good JPEG with more at the end of its last scan."""
    return _JPEG[:-2] + content + _JPEG[-2:]


def png_with(*chunks: bytes) -> bytes:
    """A good PNG with more in front of its pixels, and after them."""
    whole = file(Image.new("L", (8, 8)))
    return whole[:33] + b"".join(chunks) + whole[33:-12] + b"".join(chunks) + whole[-12:]


def nested(pointers: int, unknown: int) -> bytes:
    """TIFF data of three directories: each holds the next one many times, and the last one nothing."""
    second = 8 + 2 + 12 * (pointers + 1) + 4
    third = second + 2 + 12 * pointers + 4
    first = directory([*ORIENTED, *[(0x8769, 3, 1, second)] * pointers])
    return (
        b"II*\0\x08\0\0\0" + first
        + directory([(0x8769, 3, 1, third)] * pointers)
        + directory([(1, 99, 0, 0)] * unknown)
    )  # fmt: skip


def overlapping(pages: int, entries: int) -> bytes:
    """A TIFF whose pages share most of their entries: each directory starts two entries after the last."""
    needed = [(tag, 3, count, value) for tag, _, count, value in grey(1, 1) if tag not in (273, 279)]
    needed += [(273, 3, 1, 8), (279, 3, 1, 1)]
    content = bytearray(b"II*\0\x0a\0\0\0" + bytes(4 + 12 * (2 * pages + entries) + 4))
    for block in range(0, pages + entries // 2 - len(needed), entries // 4):
        for index, entry in enumerate(needed):
            struct.pack_into("<HHII", content, 12 + 12 * (2 * (block + index) + 1), *entry)
    for page in range(pages):
        struct.pack_into("<H", content, 10 + 24 * page, entries)
        following = 10 + 24 * (page + 1) if page < pages - 1 else 0
        struct.pack_into("<I", content, 12 + 12 * (2 * page + entries), following)
    return bytes(content)


def run_lengths(width: int, height: int, body: bytes) -> bytes:
    """A BMP of 256 colours, compressed by run lengths."""
    palette = b"".join(bytes([index, 0, 255 - index, 0]) for index in range(256))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 0, 0)
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + head + palette + body


_XMP = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * (2**20 - 1), 9)
SPACES = png_with(chunk(b"eXIf", tiff_data(ORIENTED)), chunk(b"iTXt", _XMP))
"""1.3 kB, of which Pillow makes a mebibyte of white space before an orientation that never comes."""

SLOW = {
    "png, much white space in its XMP": SPACES,
    "png, many profiles": png_with(*[chunk(b"iCCP", MEBIBYTE)] * 400),
    "png, many compressed texts": png_with(
        *[chunk(b"zTXt", b"%d" % number + MEBIBYTE[1:]) for number in range(31)]
    ),
    "png, many empty chunks": png_with(chunk(b"prVt", b"") * (LARGE // 24)),
    "jpeg, much white space in its XMP": jpeg_with(tiff_data(ORIENTED), b" " * 60_000),
    "jpeg, directories in directories": jpeg_with(nested(180, 1000)),
    "jpeg, much fill before the picture": jpeg(b"\xff" * LARGE),
    "jpeg, much fill in a scan": scan_with(b"\xff" * 8 * LARGE),
    "jpeg, much fill and no end": scan_with(b"\xff" * 8 * LARGE)[:-2],
    "jpeg, fill behind an end": jpeg(b"\xff\xd9", b"\xff" * LARGE),
    "jpeg, fill in what looks like a segment": jpeg((b"\xff\xf0\xff\xfe" + b"\xff" * 65_532) * 64),
    "jpeg, many restarts in a scan": scan_with(b"\xff\xd0" * (LARGE // 2)),
    "jpeg, many pieces of EXIF": jpeg(segment(0xE1, b"Exif\0\0x") * (LARGE // 11)),
    "tiff, pages that overlap": overlapping(3000, 4000),
    "bmp, one long line": run_lengths(60_000_000, 1, b"\1\7\0\0"),
    "bmp, many empty lines": run_lengths(8000, 8000, b"\1\7\0\0" * 8000),
}  # fmt: skip
