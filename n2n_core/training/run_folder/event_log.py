"""The log of a run: one JSON object per line."""

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
    """Appends events to the file ``name`` in ``folder``, and calls ``on_event`` with each.

    A line that was cut short, for example by a full disk, is removed before the next one is written.
    """

    def __init__(self, folder: Path, on_event: Callable[[Event], None], name: str = LOG) -> None:
        self.path, self.on_event = folder / name, on_event
        self.repaired = False

    def emit(self, event: str, **values: Any) -> None:
        """Log one event with the current time."""
        record = {"event": event, "time": time(), **values}
        with storing(self.path):
            if not self.repaired:
                self._repair()
            with self.path.open("a") as log:
                log.write(json.dumps(record) + "\n")
        self.on_event(record)

    def _repair(self) -> None:
        self.repaired = True
        if not self.path.exists():
            return
        with self.path.open("rb+") as log:
            content = log.read()
            log.truncate(content.rfind(b"\n") + 1)


def read(folder: Path, name: str = LOG) -> list[Event]:
    """Return the events of the run in ``folder`` so far."""
    path = folder / name
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
