"""The structure of JPEG files (ITU-T T.81, annex B), to bound the cost of decoding."""

from __future__ import annotations

import re

from n2n_core.errors import ImageError, ImageTooLargeError

START = b"\xff\xd8\xff"
MOST_SCANS = 100
"""Most scans. A scan of a few bytes costs a pass over the whole picture; about ten are usual."""

MOST_SEGMENTS = 4096
"""Most segments, each of 64 KiB at most. A picture with a profile and a depth map has hundreds."""

MOST_FILL = 4096
"""Most bytes of fill before the first scan, and in one place behind it. Readers take them one by one, and
some start again with each block of the file."""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]")
"""The end of the picture, or the start of a segment. Other markers have no content; scans may have many."""

_TOO_LONG = b"\xff" * (MOST_FILL + 1)


def check(data: bytes) -> None:
    """Look at a JPEG file's segments, up to the end of the picture.

    Raises:
        ImageTooLargeError: there are more than ``MOST_SCANS``.
        ImageError: the picture ends before its first scan, or there is more between segments than any writer
            puts there.

    >>> check(bytes.fromhex("ffd8 ffe1 0004 ffda ffd9"))
    Traceback (most recent call last):
        ...
    n2n_core.errors.ImageError: the image is damaged: it ends before its first scan
    """
    scans = segments = fill = 0
    position, ended = 2, False
    while not ended:
        found = _MARKER.search(data, position)
        end = found.start() if found else len(data)
        fill += 0 if scans else end - position
        if fill > MOST_FILL or data.find(_TOO_LONG, position, end + 1) >= 0:
            raise ImageError(f"the image has more than {MOST_FILL} bytes of fill between its segments")
        marker = data[end + 1] if found else _END_OF_IMAGE
        ended = marker == _END_OF_IMAGE
        scans += marker == _START_OF_SCAN
        segments += not ended
        if scans > MOST_SCANS:
            raise ImageTooLargeError(f"the image has {scans} scans or more, expected at most {MOST_SCANS}")
        if segments > MOST_SEGMENTS:
            raise ImageError(f"the image has {segments} segments or more, expected at most {MOST_SEGMENTS}")
        position = end + 2 + max(int.from_bytes(data[end + 2 : end + 4], "big"), 2)
    if not scans:
        raise ImageError("the image is damaged: it ends before its first scan")
