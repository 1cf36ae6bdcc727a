"""Resources of the service and all its processes: memory, descriptors, threads, files."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.reliability.service import DEVICE, SERVICE, Service
from benchmarks.serving.procfs import PROC
from service.storage.data_folder import TEMPORARY

LASTING = SERVICE, DEVICE
"""Processes that live as long as the service. The others end when they are idle."""

TORCHS = "torchinductor_"
"""Folder that torch makes once, when a network is first trained."""


@dataclass(frozen=True)
class Use:
    """Memory in MiB and counts of several processes. ``pss`` counts shared pages proportionally."""

    processes: int = 0
    rss: float = 0
    pss: float = 0
    descriptors: int = 0
    threads: int = 0

    def __add__(self, other: Use) -> Use:
        return Use(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Use)))


@dataclass(frozen=True)
class Files:
    """Number and size of the files in some folders."""

    count: int
    bytes: int


@dataclass(frozen=True)
class Sample:
    """All resources at one moment, after a number of requests."""

    requests: int
    roles: dict[str, Use]
    temporary: Files
    data: Files

    @property
    def lasting(self) -> Use:
        """Resources of the service's own process and the devices' processes."""
        return sum((self.roles[role] for role in LASTING if role in self.roles), Use())

    @property
    def passing(self) -> Use:
        """Resources of the other processes, such as imports and trainers."""
        return sum((use for role, use in self.roles.items() if role not in LASTING), Use())


def sample(service: Service, requests: int) -> Sample:
    """Measure the resources now."""
    roles: dict[str, Use] = defaultdict(Use)
    for pid, role in service.processes().items():
        roles[role] += use(pid)
    data = _files(service.data)
    temporary = {path: size for path, size in _files(service.temporary).items() if not is_torchs(path)}
    unfinished = {path: size for path, size in data.items() if path.match(TEMPORARY)}
    return Sample(requests, dict(roles), _sum(unfinished | temporary), _sum(data))


def is_torchs(path: Path) -> bool:
    """Return whether torch made the file once, so that it does not count."""
    return any(part.startswith(TORCHS) for part in path.parts)


def use(pid: int) -> Use:
    """Measure one process. A process that has ended counts nothing."""
    try:
        memory = (PROC / str(pid) / "smaps_rollup").read_text()
        counts = (len(os.listdir(PROC / str(pid) / name)) for name in ("fd", "task"))  # noqa: PTH208
        found = dict(re.findall(r"^(Rss|Pss):\s+(\d+) kB$", memory, re.MULTILINE))
        return Use(1, int(found.get("Rss", 0)) / 1024, int(found.get("Pss", 0)) / 1024, *counts)
    except (FileNotFoundError, ProcessLookupError):
        return Use()


def _files(folder: Path) -> dict[Path, int]:
    """Return the files in a folder and their sizes. Some may disappear meanwhile."""
    sizes: dict[Path, int] = {}
    for root, folders, files in os.walk(folder):
        sizes |= {Path(root, name): 0 for name in folders}
        for path in (Path(root, name) for name in files):
            try:
                sizes[path] = path.lstat().st_size
            except FileNotFoundError:
                continue
    return sizes


def _sum(sizes: dict[Path, int]) -> Files:
    return Files(len(sizes), sum(sizes.values()))
