"""Run a reader on its corpus, and print the memory that it took: ``python -m tests.fuzz.replay image``."""

import sys
from pathlib import Path

from tests.fuzz.targets import CORPUS, attempt


def peak() -> int:
    """The most memory that this process has had, in bytes (on Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(target: str) -> None:
    files = sorted((CORPUS / target).iterdir())
    attempt(target, files[0].read_bytes())  # loads what it needs
    before = peak()
    for path in files:
        sys.stderr.write(f"{path.name}\n")  # the last one is the one that broke it
        attempt(target, path.read_bytes())
    sys.stdout.write(str(peak() - before))


if __name__ == "__main__":
    main(sys.argv[1])
