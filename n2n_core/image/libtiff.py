"""Keep libtiff, with which Pillow reads TIFFs, from writing to standard error about damaged files."""

import ctypes
from pathlib import Path

from PIL import features

_MAPS = Path("/proc/self/maps")


def silence() -> None:
    """Turn libtiff's messages off, if the library can be found (Linux). Pillow raises errors anyway."""
    if not features.check("libtiff") or not _MAPS.exists():
        return
    found = {line.split()[-1] for line in _MAPS.read_text().splitlines() if "/libtiff" in line}
    for path in found:
        set_handler = ctypes.CDLL(path).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)
