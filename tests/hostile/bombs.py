"""Hostile image files: small ones that need much memory or time, and damaged ones."""

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
from PIL import Image

from tests.pictures import drawn, file

Entry = tuple[int, int, int, int]
"""Of a TIFF's directory: tag, type (1 byte, 3 short, 4 long), count, value or offset."""

BOMB = b"a\0\0" + zlib.compress(bytes(10**8), 9)
"""Of a PNG's chunks that have a name, and compressed content."""

GOOD = {format: file(drawn("RGB"), format) for format in ("png", "jpeg", "webp", "tiff", "bmp")}


def chunk(kind: bytes, body: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *more: bytes, pixels: bytes = b"") -> bytes:
    """A grey PNG."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(pixels, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + data + chunk(b"IEND", b"")


def tiff(entries: list[Entry], data: bytes = b"", following: int = 0) -> bytes:
    """A TIFF of one directory; ``data`` is at byte 1000."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return (b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following)).ljust(
        1000, b"\0"
    ) + data


def grey(width: int, height: int) -> list[Entry]:
    """What an uncompressed grey TIFF needs."""
    return [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 1000), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 100),
    ]  # fmt: skip


def tiles(width: int, height: int) -> bytes:
    """A TIFF of 10 x 10 pixels, in one compressed tile."""
    data = zlib.compress(bytes(100))
    kept = [entry for entry in grey(10, 10) if entry[0] not in (259, 273, 278, 279)]
    more = [
        (259, 3, 1, 8),
        (322, 4, 1, width),
        (323, 4, 1, height),
        (324, 4, 1, 1000),
        (325, 4, 1, len(data)),
    ]
    return tiff(sorted([*kept, *more]), data)


def scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    whole = file(Image.new("L", (1900, 1900)), "jpeg", progressive=True)
    last = whole[whole.rindex(b"\xff\xda") : -2]
    return whole[:-2] + last * count + whole[-2:]


def webp_canvas(side: int) -> bytes:
    """An animation of one small frame on a large canvas."""
    frame = file(Image.new("RGB", (16, 16)), "webp", lossless=True)[12:]
    size = (side - 1).to_bytes(3, "little") * 2
    head = b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + size
    animation = b"ANIM" + struct.pack("<IIH", 6, 0, 0)
    body = bytes(6) + (15).to_bytes(3, "little") * 2 + b"\x10\0\0\0" + frame
    content = b"WEBP" + head + animation + b"ANMF" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(content)) + content


def resized(format: str, offset: int, layout: str, *sizes: int) -> bytes:
    """A good file whose header tells another size."""
    content = bytearray(GOOD[format])
    struct.pack_into(layout, content, offset, *sizes)
    return bytes(content)


def jpeg_of(width: int, height: int) -> bytes:
    """A good file whose header tells another size."""
    start = GOOD["jpeg"].index(b"\xff\xc0")
    return resized("jpeg", start + 5, ">HH", height, width)


TOO_LARGE = {
    "png, in its header": png(60_000, 60_000),
    "png, as large as can be": png(2**31 - 1, 2**31 - 1),
    "png, of one long line": png(2**31 - 1, 1),
    "jpeg, in its header": jpeg_of(65_500, 65_500),
    "jpeg, of 5000 scans": scans(5000),
    "webp, in its header": webp_canvas(16_383),
    "webp, lossless": (
        GOOD["webp"][:12] + b"VP8L" + struct.pack("<IBI", 10, 0x2F, 16383 | 16383 << 14) + bytes(5)
    ),
    "tiff, in its header": tiff(grey(60_000, 60_000)),
    "tiff, as large as can be": tiff(grey(2**32 - 1, 2**32 - 1)),
    "tiff, in its tiles": tiles(20_000, 20_000),
    "tiff, in a tile of one line": tiles(2**30, 1),
    "bmp, in its header": resized("bmp", 18, "<ii", 60_000, 60_000),
    "bmp, negative": resized("bmp", 18, "<ii", -40, -28),
    "bmp, as large as can be": resized("bmp", 18, "<ii", 2**31 - 1, 2**31 - 1),
}  # fmt: skip
"""Small files that announce more pixels than any picture may have."""

BAD = {
    "nothing": b"",
    "one byte": b"\x89",
    "png without pixels": png(100, 100),
    "png of no size": png(0, 0),
    "png with a bomb for a profile": png(8, 8, chunk(b"iCCP", BOMB), pixels=b""),
    "jpeg of no size": jpeg_of(0, 0),
    "tiff whose strip is elsewhere": tiff([(t, k, n, 2**31 if t == 273 else v) for t, k, n, v in grey(8, 8)]),
    "tiff of a million samples": tiff([(t, k, n, 65_535 if t == 277 else v) for t, k, n, v in grey(8, 8)]),
    "gif": b"GIF89a" + bytes(100),
    "gif header on a png": b"GIF89a" + GOOD["png"][6:],
    "png header on a jpeg": GOOD["png"][:8] + GOOD["jpeg"][8:],
    "tiff header on a zip": b"II*\0" + b"PK\3\4" + bytes(100),
    "zip": b"PK\5\6" + bytes(18),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n(/etc/passwd) run\n",
    "pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "html": b"<html><img src=file:///etc/passwd>",
}  # fmt: skip
"""Files that are no picture, or none that can be read."""

FINE = {
    "png with a zip behind": GOOD["png"] + b"PK\3\4" + bytes(100),
    "jpeg with a page behind": GOOD["jpeg"] + b"<script>alert(1)</script>",
    "png with much text": png(8, 8, *[chunk(b"tEXt", b"a\0b")] * 20_000, pixels=bytes(72)),
    "png with a bomb for a text": png(8, 8, chunk(b"zTXt", BOMB), pixels=bytes(72)),
    "tiff that leads to itself": tiff(grey(8, 8), bytes(100), following=8),
    "png with more pixels than it says": png(8, 8, pixels=bytes(10**8)),
    "tiff whose tags all are one place": tiff(
        [*grey(8, 8), *((40_000 + n, 1, 500_000, 0) for n in range(70))], bytes(500_000)
    ),
}  # fmt: skip
"""Files with more than a picture in them, or less; where they are one, the rest is left alone."""


def truncated() -> Iterator[bytes]:
    """Each format, cut off at many places."""
    for content in GOOD.values():
        for part in range(1, 20):
            yield content[: len(content) * part // 20]


def flipped(count: int) -> Iterator[bytes]:
    """Each format, with a few wrong bits, most of them near the start."""
    rng = np.random.default_rng(0)
    for good in GOOD.values():
        for _ in range(count):
            content = bytearray(good)
            for place in (rng.random(rng.integers(1, 6)) ** 3 * len(good)).astype(int):
                content[place] ^= 1 << int(rng.integers(8))
            yield bytes(content)


def with_pages(count: int) -> bytes:
    """A TIFF of so many pages."""
    buffer = BytesIO()
    pages = [Image.new("L", (8, 8), page) for page in range(count)]
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    return buffer.getvalue()
