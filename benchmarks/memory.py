"""A process's peak memory."""

from pathlib import Path


def peak() -> float:
    """MiB that this process has held at most (Linux; ``getrusage`` would count its parent's too)."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
