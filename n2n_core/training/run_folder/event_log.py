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


def read(folder: Path, name: str = LOG, most: int | None = None) -> list[Event]:
    """Return the events of the run in ``folder`` so far.

    Args:
        most: of each kind, return at most about so many, evenly spaced, and always the last one. None for
            all. The others are not parsed, and take no memory.
    """
    path = folder / name
    kinds: dict[str, _Spaced] = {}
    if path.exists():
        with path.open() as log:
            for number, line in enumerate(log):
                if line.endswith("\n"):
                    kinds.setdefault(line.partition(",")[0], _Spaced(most)).add(number, line)
    lines = sorted(line for kind in kinds.values() for line in kind.lines())
    return [json.loads(line) for _, line in lines]


class _Spaced:
    """Lines with their numbers: all of them, or evenly spaced ones."""

    def __init__(self, most: int | None) -> None:
        self.most, self.every, self.seen = most, 1, 0
        self.kept: list[tuple[int, str]] = []
        self.last: list[tuple[int, str]] = []

    def add(self, number: int, line: str) -> None:
        """Take the next line."""
        self.last = [(number, line)]
        if self.seen % self.every == 0:
            self.kept += self.last
            if self.most and len(self.kept) > self.most:
                self.kept, self.every = self.kept[::2], 2 * self.every
        self.seen += 1

    def lines(self) -> list[tuple[int, str]]:
        """Return what is kept, in order."""
        return self.kept if self.kept[-1:] == self.last else self.kept + self.last
