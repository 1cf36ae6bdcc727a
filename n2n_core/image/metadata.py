"""Metadata that is kept when a picture is denoised.

A picture's metadata is a dict with those of these keys that it has:

- ``icc_profile``: bytes. Pixels are never converted to another profile.
- ``exif``: bytes, as in JPEG files, without the orientation if that was applied.
- ``xmp``: bytes, likewise.
- ``dpi``: pixels per inch, horizontal and vertical.
- ``png``: bytes, the chunks that define a PNG's colour space.
- ``tiff``: a ``Directory``, everything that describes a page of a TIFF; used for TIFF only.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from PIL.ImageFile import ImageFile

from n2n_core.image.directory import (
    BYTE,
    EXIF,
    GPS,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Directory,
    Field,
    Reader,
    write,
)
from n2n_core.image.picture import Samples

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
XMP, ICC_PROFILE = 700, 34675
_INCHES = {2: 1.0, 3: 2.54}  # units per inch, for TIFF's units inch and centimetre
_EXIF_PREFIX = b"Exif\0\0"
_TIFF_HEADER = b"II*\0\x08\0\0\0"
_ACROSS_AND_DOWN = ((256, 257), (X_RESOLUTION, Y_RESOLUTION), (0xA002, 0xA003))  # the last is EXIF's
_XMP_ORIENTATION = ((b'tiff:Orientation="', b'"'), (b"<tiff:Orientation>", b"</tiff:Orientation>"))
"""What is before the number, and what is behind it."""

# Title, maker, model, software, date, artist, host, copyright: the TIFF tags that EXIF data have, too.
_DESCRIPTION = (270, 271, 272, 305, 306, 315, 316, 33432, EXIF, GPS)

STRUCTURE = {
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 284, 288, 289,
    290, 291, 292, 293, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 332, 333, 334, 338, 339, 340,
    341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 559,
}  # fmt: skip
"""TIFF tags that describe how pixels are stored. Files that are written get new ones."""

_PLACES = {330, 400, 34412, 37724}
"""Tags that point into the file or hold the picture again: other directories, layers."""

SUBFILE, WHITE_POINT, PRIMARIES = 254, 318, 319
_DROPPED = STRUCTURE - {SUBFILE, WHITE_POINT, PRIMARIES} | _PLACES | {ORIENTATION, XMP, ICC_PROFILE}


def of_file(file: ImageFile) -> tuple[dict[str, Any], int]:
    """Return the metadata of a file that Pillow has loaded, and its orientation, 1 to 8."""
    exif, xmp, orientation = _raw_exif(file.info), _raw_xmp(file.info), 1
    own = file.format not in ("JPEG", "MPO") or file.info.get("jfif_unit")  # else it is half of EXIF's
    dpi = _dpi(file.info["dpi"]) if own and "dpi" in file.info else None
    if exif:
        directory = _exif(exif)
        dpi = dpi or _resolution(directory)
        orientation = _orientation(directory)
        exif = exif if directory else b""
        if orientation > 1:
            exif, xmp = exif_bytes(_turned(directory, orientation)), without_orientation(xmp)
    found = {"icc_profile": file.info.get("icc_profile"), "exif": exif, "xmp": xmp}
    return _present(found, dpi, orientation), orientation


def of_page(directory: Directory) -> tuple[dict[str, Any], int]:
    """Return the metadata of a page of a TIFF, and its orientation, 1 to 8."""
    orientation = _orientation(directory)
    kept = _turned(directory.without(*_DROPPED), orientation)
    described = Directory({tag: kept[tag] for tag in _DESCRIPTION if tag in kept})
    icc, xmp = directory.get(ICC_PROFILE), directory.get(XMP)
    xmp_data = xmp.data if isinstance(xmp, Field) else b""
    found = {
        "icc_profile": icc.data if isinstance(icc, Field) else None,
        "exif": exif_bytes(described) if any(described.values()) else b"",
        "xmp": without_orientation(xmp_data) if orientation > 1 else xmp_data,
        "tiff": kept,
    }
    return _present(found, _resolution(directory), orientation), orientation


def for_page(metadata: dict[str, Any]) -> Directory:
    """Return the tags of a page of a TIFF with this metadata."""
    if "tiff" in metadata:
        directory = Directory(metadata["tiff"])
    else:
        directory = _exif(metadata.get("exif", b"")).without(*_DROPPED)
        if dpi := metadata.get("dpi"):
            for tag, value in zip((X_RESOLUTION, Y_RESOLUTION), dpi, strict=True):
                directory[tag] = Field.of(RATIONAL, (round(value * 10_000), 10_000))
            directory[RESOLUTION_UNIT] = Field.of(SHORT, (2,))
    if profile := metadata.get("icc_profile"):
        directory[ICC_PROFILE] = Field.of(UNDEFINED, profile)
    if xmp := metadata.get("xmp"):
        directory[XMP] = Field.of(BYTE, xmp)
    return directory


def exif_bytes(directory: Directory) -> bytes:
    """Return EXIF data as in JPEG files."""
    return _EXIF_PREFIX + _TIFF_HEADER + write(directory, len(_TIFF_HEADER))


def upright(pixels: Samples, orientation: int) -> Samples:
    """Turn ``(C, H, W)`` upright, by the EXIF orientation."""
    if orientation == 1:
        return pixels
    if orientation > 4:
        pixels = pixels.swapaxes(-2, -1)
    axes = {2: (-1,), 3: (-2, -1), 4: (-2,), 5: (), 6: (-1,), 7: (-2, -1), 8: (-2,)}[orientation]
    return np.flip(pixels, axes)


def _present(found: dict[str, Any], dpi: tuple[float, float] | None, orientation: int) -> dict[str, Any]:
    if dpi:
        found["dpi"] = dpi[::-1] if orientation > 4 else dpi
    return {key: value for key, value in found.items() if value}


def _resolution(directory: Directory) -> tuple[float, float] | None:
    inches = _INCHES.get(directory.number(RESOLUTION_UNIT, 2))
    values = directory.numbers(X_RESOLUTION)[:1] + directory.numbers(Y_RESOLUTION)[:1]
    return _dpi(tuple(value * inches for value in values)) if inches else None


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(each) for each in value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (horizontal, vertical) if 0 < horizontal <= 65535 and 0 < vertical <= 65535 else None


def _raw_exif(info: dict[Any, Any]) -> bytes:
    """Return EXIF data with JPEG's prefix. ImageMagick writes them into a text chunk of PNGs."""
    raw = info.get("exif") or b""
    if not raw and (text := info.get("Raw profile type exif")):
        try:
            raw = bytes.fromhex("".join(str(text).split("\n")[3:]))
        except ValueError:
            return b""
    return _EXIF_PREFIX + raw.removeprefix(_EXIF_PREFIX) if raw else b""


def _raw_xmp(info: dict[Any, Any]) -> bytes:
    """Return XMP data. libvips writes them into another kind of text chunk of PNGs."""
    raw: bytes = info.get("xmp") or b""
    if not raw and (text := info.get("XML:com.adobe.xmp")):
        return str(text).encode("latin-1", "ignore")
    return raw


def without_orientation(xmp: bytes) -> bytes:
    r"""Remove the orientation from XMP data, in time that grows with their length whatever they hold.

    >>> without_orientation(b'<a b="c"\n tiff:Orientation="6"/><tiff:Orientation>6</tiff:Orientation>')
    b'<a b="c"/>'
    """
    for before, after in _XMP_ORIENTATION:
        first, *parts = xmp.split(before)
        kept = [first]
        for part in parts:
            number, found, rest = part.partition(after)
            if found and not number.strip(b"0123456789"):
                kept[-1] = kept[-1].rstrip() if after == b'"' else kept[-1]
                kept.append(rest)
            else:
                kept.append(before + part)
        xmp = b"".join(kept)
    return xmp


def _exif(raw: bytes) -> Directory:
    """Read the directory of EXIF data; empty if they are damaged, as the picture itself is not."""
    try:
        reader = Reader(raw.removeprefix(_EXIF_PREFIX))
        return reader.read(reader.first)
    except (ValueError, struct.error):
        return Directory()


def _orientation(directory: Directory) -> int:
    found = directory.number(ORIENTATION, 1)
    return found if 1 <= found <= 8 else 1


def _turned(directory: Directory, orientation: int) -> Directory:
    """Remove the orientation; swap the tags of width and height if the picture was turned."""
    turned = directory.without(ORIENTATION)
    if orientation > 4:
        for first, second in _ACROSS_AND_DOWN:
            if first in turned and second in turned:
                turned[first], turned[second] = turned[second], turned[first]
        for tag, value in turned.items():
            if isinstance(value, Directory):
                turned[tag] = _turned(value, orientation)
    return turned
