"""The structure of JPEG files (ITU-T T.81, annex B), to estimate the cost of decoding."""

from __future__ import annotations

import re

START_OF_SCAN, END_OF_IMAGE = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}


def count_scans(data: bytes) -> int:
    """Count the scans up to the end of the picture. Those in other segments, or behind, do not count.

    >>> scan = bytes.fromhex("ffda 0003 00 1234 ff00 56 ffd0 78")
    >>> count_scans(bytes.fromhex("ffd8 ffe1 0004 ffda") + 2 * scan + bytes.fromhex("ffd9") + scan)
    2
    """
    scans = position = 0
    while found := _MARKER.search(data, position):
        marker, position = found[1][0], found.end()
        if marker == END_OF_IMAGE:
            break
        if marker not in _WITHOUT_LENGTH:
            scans += marker == START_OF_SCAN
            position += int.from_bytes(data[position : position + 2], "big")
    return scans
