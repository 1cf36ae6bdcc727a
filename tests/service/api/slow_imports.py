"""Imports that do not end, in place of ``dataset_import.read``: they run in another process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service.storage.dataset_import import READING, Findings, ImportRequest, Watch
from service.storage.dataset_import import read as really_read
from tests.service.processes.slow import announce, hang, spin


def read(sources: Sequence[Path], request: ImportRequest, workspace: Path, *limits: Any) -> Findings:
    """Do what the dataset's name says, which is of the form ``hang FILE``."""
    what, _, file = request.name.partition(" ")
    if what in ("hang", "spin", "die"):
        Watch(workspace / READING, limits[-1])("shots/bad.png")
        announce(Path(file))
    match what:
        case "hang":
            hang(Path(file))
        case "spin":
            spin()
        case "die":
            import os

            os.abort()
    return really_read(sources, request, workspace, *limits)
