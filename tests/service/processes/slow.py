"""Work that does not end, for processes that can be killed."""

import os
import re
import sys
import time
from pathlib import Path


def announce(file: Path) -> None:
    """Write this process's id to a file, all at once."""
    file.with_suffix(".part").write_text(str(os.getpid()))
    file.with_suffix(".part").rename(file)


def hang(file: Path) -> None:
    """Wait for what never comes, as a decoder that reads a pipe does."""
    announce(file)
    time.sleep(600)


def spin() -> None:
    """Compute for years within one call, which holds Python's lock."""
    re.match(r"(a+)+$", "a" * 64 + "b")
    sys.exit("unreachable")
