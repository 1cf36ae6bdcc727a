"""Hostile TARs whose headers are made to cost far more time or memory than their bytes."""

import gzip
import tarfile

END = bytes(2 * tarfile.BLOCKSIZE)


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT)


def extended(content: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """An extended (PAX) header: for the next member, or for all."""
    return header("x", kind, len(content)) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def record(name: str, value: str = "") -> bytes:
    """Of an extended header."""
    rest = f" {name}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def tar(*members: bytes) -> bytes:
    return gzip.compress(b"".join(members) + END)


_MANY = b"".join(record(f"k{number}") for number in range(60_000))

SLOW = {
    "digits": tar(extended(b"1" * 40_000), header("a.png")),
    "digits in a value": tar(extended(record("x", "1" * 40_000)), header("a.png")),
    "records that overlap": tar(extended(b"2 " * 4000 + b"a="), header("a.png")),
    "fields for all members": tar(
        extended(_MANY, tarfile.XGLTYPE), *(header(f"{number}.png") for number in range(500))
    ),
}
"""What ``tarfile`` searches again and again."""

SPARSE = {
    "a map of letters": [extended(record("GNU.sparse.map", "x,y"))],
    "sizes of letters": [extended(record("GNU.sparse.size", "x") + record("GNU.sparse.offset", "y"))],
    "a map of the third kind": [
        extended(record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0")),
    ],
    "a length of letters": [extended(record("size", "x"))],
    "a negative length": [extended(record("size", "-5000"))],
    "no end": [extended(record("GNU.sparse.map", "0,0"))[:600]],
}
"""Extended headers on which ``tarfile`` raises what it likes."""
