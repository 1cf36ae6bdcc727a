"""Work that goes wrong, for processes that can be killed."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


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


def stop(file: Path) -> int:
    """Be stopped the first time, as by an operator; later, return this process's id."""
    if not file.exists():
        announce(file)
        os.kill(os.getpid(), signal.SIGSTOP)
    return os.getpid()


def crash() -> None:
    """Crash, as a decoder written in C does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def grab(size: int) -> int:
    """Take memory."""
    return len(bytearray(size))


def doubled(values: NDArray[np.float32], text: str) -> tuple[NDArray[np.float32], str]:
    return 2 * values, 2 * text


def hang_as_told(data: memoryview, *arguments: object) -> None:
    """In place of reading an image: ``data`` is four bytes and a path to announce."""
    hang(Path(bytes(data[4:]).decode()))
