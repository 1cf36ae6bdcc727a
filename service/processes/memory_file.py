"""Files without a name, in memory on Linux, that this process and its children share."""

import os
import sys
import tempfile
from typing import IO


def anonymous_file() -> IO[bytes]:
    """Open a file without a name, in memory on Linux. It is gone when no process holds it."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("n2n"), "r+b")
    return tempfile.TemporaryFile()
