"""Read the resources of processes from Linux's ``/proc``. A server is its process and all descendants."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Stat:
    """A line of ``/proc/PID/stat``: the parent, and CPU seconds, those of ended children included."""

    pid: int
    parent: int
    cpu: float


@dataclass(frozen=True)
class Usage:
    """Resources of a process tree: CPU seconds so far, MiB now, and the sum of the peak MiB."""

    cpu: float
    rss: float
    peak: float


def parse_stat(text: str) -> Stat:
    """Read the line; the command's name, in parentheses, may hold spaces and parentheses itself."""
    pid, _, rest = text.partition(" ")
    fields = rest.rpartition(")")[2].split()  # from the third field on: state, parent, ...
    user, system, children_user, children_system = map(int, fields[11:15])
    return Stat(int(pid), int(fields[1]), (user + system + children_user + children_system) * TICK)


def parse_status(text: str) -> tuple[float, float]:
    """Return the current and the peak MiB from ``/proc/PID/status``; zeros if the process ends."""
    found = dict(re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", text, re.MULTILINE))
    return int(found.get("VmRSS", 0)) / 1024, int(found.get("VmHWM", 0)) / 1024


def tree(root: int, stats: list[Stat]) -> list[Stat]:
    """Return ``root`` and its descendants."""
    members = {root}
    while grown := {stat.pid for stat in stats if stat.parent in members} - members:
        members |= grown
    return [stat for stat in stats if stat.pid in members]


def usage(root: int) -> Usage:
    """Measure the tree of process ``root``."""
    members = tree(root, [parse_stat(text) for text in _read_all("stat")])
    memory = [parse_status(text) for stat in members for text in _read_all("status", stat.pid)]
    return Usage(
        sum(stat.cpu for stat in members), sum(rss for rss, _ in memory), sum(peak for _, peak in memory)
    )


def _read_all(name: str, pid: int | None = None) -> list[str]:
    """Read a file of one process or of all, without those that have just ended."""
    texts = []
    for path in PROC.glob(f"{pid or '[0-9]*'}/{name}"):
        try:
            texts.append(path.read_text(errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return texts
