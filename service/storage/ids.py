"""Identifiers that sort by creation time."""

import secrets
import time
from uuid import UUID


def uuid7() -> str:
    """Return a UUID of version 7 (RFC 9562): 48 bits of milliseconds, then 74 random bits.

    >>> len(uuid7()), uuid7()[14]
    (36, '7')
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=value))
