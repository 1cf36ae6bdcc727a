"""Count of what was tried, and of what was lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of one kind of run.

    Attributes:
        tried: how often what was done or asked.
        lost: what broke a promise, in words; it must stay empty.
        notes: what happened that is no loss, by how often.
    """

    name: str
    tried: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    skipped: str | None = None

    def check(self, what: str, good: bool, otherwise: str) -> None:
        """Count a checked promise, and whether it was broken."""
        self.tried[what] += 1
        if not good:
            self.lost.append(f"{what}: {otherwise}")
