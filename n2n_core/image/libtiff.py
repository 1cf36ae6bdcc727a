"""libtiff, which Pillow reads TIFFs with, writes about damaged ones to standard error, past Python."""

import ctypes
from pathlib import Path

from PIL import features

_MAPS = Path("/proc/self/maps")


def silence() -> None:
    """Let it write nothing: what is wrong, Pillow raises. Only where the system tells its file (Linux)."""
    if not features.check("libtiff") or not _MAPS.exists():
        return
    found = {line.split()[-1] for line in _MAPS.read_text().splitlines() if "/libtiff" in line}
    for path in found:
        set_handler = ctypes.CDLL(path).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
