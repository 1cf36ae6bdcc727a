"""The log of a run: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

from n2n_core.files import storing

LOG = "log.jsonl"

Event = dict[str, Any]


class EventLog:
    """Appends events to ``log.jsonl``, or another ``name``, in ``folder`` and tells ``on_event`` of them.

    A line that was cut short, as by a full disk, is removed before the next one is written.
    """

    def __init__(self, folder: Path, on_event: Callable[[Event], None], name: str = LOG) -> None:
        self.path, self.on_event = folder / name, on_event
        self.mended = False

    def emit(self, event: str, **values: Any) -> None:
        """One event, with the time."""
        record = {"event": event, "time": time(), **values}
        with storing(self.path):
            if not self.mended:
                self._mend()
            with self.path.open("a") as log:
                log.write(json.dumps(record) + "\n")
        self.on_event(record)

    def _mend(self) -> None:
        self.mended = True
        if not self.path.exists():
            return
        with self.path.open("rb+") as log:
            content = log.read()
            log.truncate(content.rfind(b"\n") + 1)


def read(folder: Path, name: str = LOG) -> list[Event]:
    """The events of the run in ``folder``, so far."""
    path = folder / name
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
