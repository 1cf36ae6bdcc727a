"""Tag directories (IFDs) of TIFF files and EXIF data.

Reading stays within the file's bytes. Entries and values that together are several times the file's size, as
in a decompression bomb, are rejected before they are read: each byte counts as often as it is used. So
directories that overlap or lead to each other cost no more than others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EXIF, GPS, INTEROPERABILITY = NESTED = (0x8769, 0x8825, 0xA005)
"""Tags whose value is the offset of a nested directory."""

MOST_ENTRIES = 4096
"""Most entries of one directory. Files of cameras and microscopes have dozens."""

OFTEN = 4
"""Largest number of bytes of entries and values to read, in file sizes. Pages may share values, such as a
profile."""

_MOST_NESTED = 3
_TYPES = {
    1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4",
    12: "f8", 13: "u4", 16: "u8", 17: "i8", 18: "u8",
}  # fmt: skip
_INTEGERS = (1, 3, 4, 13, 16)
_PAIRS = (5, 10)  # rationals: numerator and denominator
_BIG_TYPES = (16, 17, 18)
BYTE, SHORT, LONG, RATIONAL, UNDEFINED = 1, 3, 4, 5, 7


@dataclass(frozen=True)
class Field:
    """The value of one tag: its TIFF type, and its bytes in little-endian order."""

    type: int
    data: bytes

    @classmethod
    def of(cls, type: int, values: Iterable[int] | bytes) -> Field:
        """Make a field from integers, or from bytes."""
        if isinstance(values, bytes):
            return cls(type, values)
        return cls(type, np.asarray(list(values), "<" + _TYPES[type]).tobytes())

    def values(self, most: int) -> tuple[Any, ...]:
        """Return the first numbers; a rational is a quotient, infinite or NaN if its denominator is 0."""
        numbers = np.frombuffer(self.data[: most * _size(self.type)], "<" + _TYPES[self.type])
        if self.type in _PAIRS:
            with np.errstate(all="ignore"):
                numbers = numbers[::2] / numbers[1::2]
        return tuple(numbers.tolist())

    @property
    def count(self) -> int:
        """Number of values. A rational counts as one."""
        return len(self.data) // _size(self.type)


class Directory(dict[int, "Field | Directory"]):
    """Fields and nested directories by tag."""

    def numbers(self, tag: int, default: tuple[Any, ...] = (), most: int = 16) -> tuple[Any, ...]:
        """Return the first ``most`` values of a field; a hostile file may have millions."""
        field = self.get(tag)
        return field.values(most) if isinstance(field, Field) else default

    def number(self, tag: int, default: int) -> int:
        """Return the first value of a field of integers."""
        field = self.get(tag)
        values = field.values(1) if isinstance(field, Field) and field.type in _INTEGERS else ()
        return int(values[0]) if values else default

    def without(self, *tags: int) -> Directory:
        """Return a copy without these tags."""
        return Directory({tag: value for tag, value in self.items() if tag not in tags})


class Reader:
    """Reads the directories of a TIFF or BigTIFF file, or of EXIF data.

    Raises:
        ValueError: the data do not start with a TIFF header.
    """

    def __init__(self, data: bytes) -> None:
        orders = {b"II": "<", b"MM": ">"}
        if len(data) < 8 or data[:2] not in orders:
            raise ValueError("no TIFF header")
        self.data, self.order = data, orders[data[:2]]
        version = self._unpack("H", 2)[0]
        if version not in (42, 43):
            raise ValueError(f"TIFF version is {version}, expected 42 or 43")
        self.big = version == 43
        self._pointer = "Q" if self.big else "I"
        self.first: int = self._unpack("Q", 8)[0] if self.big else self._unpack("I", 4)[0]
        self._left = OFTEN * len(data)

    def read(self, offset: int) -> Directory:
        """Read the directory at ``offset``.

        Raises:
            ValueError, struct.error: it lies outside the file, or is, together with all that was read before,
                several times the file's size.
        """
        return self._read(offset, _MOST_NESTED)

    def following(self, offset: int) -> int:
        """Return the offset of the directory after the one at ``offset``; 0 if there is none."""
        places = self._entries(offset)
        following: int = self._unpack(self._pointer, places.stop)[0]
        return following

    def _entries(self, offset: int) -> range:
        """Return the offsets of a directory's entries."""
        (count,) = self._unpack("Q" if self.big else "H", offset)
        start, width = (offset + 8, 20) if self.big else (offset + 2, 12)
        if count > MOST_ENTRIES or start + count * width > len(self.data):
            raise ValueError(f"a directory declares {count} entries")
        return range(start, start + count * width, width)

    def _read(self, offset: int, depth: int) -> Directory:
        directory, places = Directory(), self._entries(offset)
        self._charge(len(places) * places.step)
        for place in places:
            tag, type, amount = self._unpack("HHQ" if self.big else "HHI", place)
            if type in _TYPES:
                value = self._value(type, amount, place + (12 if self.big else 8))
                directory[tag] = self._nested(value, depth) if tag in NESTED and depth else value
        return directory

    def _value(self, type: int, amount: int, at: int) -> Field:
        size = amount * _size(type)
        self._charge(size)
        place = at if size <= (8 if self.big else 4) else self._unpack(self._pointer, at)[0]
        raw = self.data[place : place + size]
        if len(raw) < size:
            raise ValueError("a tag's value lies outside the file")
        numbers: NDArray[Any] = np.frombuffer(raw, self.order + _TYPES[type])
        return Field(type, numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes())

    def _charge(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError(f"tags declare more than {OFTEN} times the file's {len(self.data)} bytes")

    def _nested(self, field: Field, depth: int) -> Directory:
        """Read a nested directory; empty if it is damaged, as the picture itself is not."""
        try:
            return self._read(int(field.values(1)[0]), depth - 1)
        except (ValueError, IndexError, struct.error):
            return Directory()

    def _unpack(self, format: str, offset: int) -> tuple[Any, ...]:
        return struct.unpack_from(self.order + format, self.data, offset)


def write(directory: Directory, offset: int, following: int = 0) -> bytes:
    """Write a directory, and the values that it points to, for a little-endian file.

    Args:
        directory: fields of 8-byte integers, which only BigTIFF has, and empty fields are left out.
        offset: where it will be in the file; even.
        following: offset of the next directory; 0 if there is none.
    """
    kept = sorted((tag, value) for tag, value in directory.items() if _can_be_written(value))
    entries, behind = [], list[bytes]()
    place = offset + 2 + 12 * len(kept) + 4
    for tag, value in kept:
        nested = isinstance(value, Directory)
        data = write(value, place) if isinstance(value, Directory) else value.data
        type, count = (LONG, 1) if isinstance(value, Directory) else (value.type, value.count)
        if len(data) > 4 or nested:
            entries.append(struct.pack("<HHII", tag, type, count, place))
            behind += data, bytes(len(data) % 2)
            place += len(data) + len(data) % 2
        else:
            entries.append(struct.pack("<HHI4s", tag, type, count, data))
    return b"".join([struct.pack("<H", len(kept)), *entries, struct.pack("<I", following), *behind])


def _can_be_written(value: Field | Directory) -> bool:
    if isinstance(value, Directory):
        return bool(value)
    return value.type not in _BIG_TYPES and bool(value.data)


def _size(type: int) -> int:
    return np.dtype(_TYPES[type]).itemsize * (2 if type in _PAIRS else 1)
