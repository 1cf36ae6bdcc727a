"""File names from clients, made safe to use and to pass on to other clients."""

from pathlib import PurePath

from service.http.errors import ProblemError
from service.http.problem_types import NAME_TOO_LONG

NAME_BYTES = 255
"""Longest file name that common file systems accept."""


def plain_name(name: str, longest: int) -> str | None:
    """Return the last part of a client's path, or None if it cannot be a file name.

    The result contains no path separators, control characters or invisible characters.

    >>> plain_name("../C:\\\\shots\\\\a b.png", 100), plain_name("..", 100), plain_name("a\\0.png", 100)
    ('a b.png', None, None)

    Raises:
        ProblemError: the name has more than ``longest`` characters.
    """
    if len(name) > longest:
        got = f"{name[:80]!r}... has {len(name)} characters"
        detail = f"the file's name {got}, expected at most {longest} (N2N_MAX_NAME_LENGTH)"
        raise ProblemError(NAME_TOO_LONG, detail)
    plain = PurePath(name.replace("\\", "/")).name
    usable = plain not in ("", "..") and plain.isprintable() and len(plain.encode()) <= NAME_BYTES
    return plain if usable else None
