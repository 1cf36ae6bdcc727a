"""Results of a soak so far: progress, and a verdict from measurements at rest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.reliability.resources import Sample
from benchmarks.serving.table import Table
from benchmarks.soak.mixture import Mixture
from benchmarks.soak.verdict import FIGURES, not_flat, slope
from n2n_core.files import atomic_path

COLUMNS = {"": 25, "after warm-up": 14, "most": 12, "end": 12, "per 10,000 requests": 20}
SHOWN = 20


@dataclass(frozen=True)
class Plan:
    """Plan of a soak.

    Args:
        requests: after the warm-up, in rounds of ``round``, with a rest after each.
        warm_up: requests before.
        clients: that send at once.
        rest: seconds without work, before what is held is compared.
        patience: further seconds in which what is not flat may become so: pools let go of threads one by
            one.
    """

    requests: int
    warm_up: int
    clients: int = 12
    rest: float = 45
    patience: float = 30
    round: int = 10_000


@dataclass
class Outcome:
    """Results of a soak so far.

    Attributes:
        warm: under load in the warm-up.
        loaded: under load after it.
        rests: at rest, after the warm-up and after each round.
    """

    plan: Plan
    mixture: Mixture
    warm: list[Sample] = field(default_factory=list)
    loaded: list[Sample] = field(default_factory=list)
    rests: list[Sample] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Number of requests sent after the warm-up."""
        return self.mixture.sent.total() - self.rests[0].requests if self.rests else 0

    @property
    def failures(self) -> list[str]:
        """Wrong answers, unexpected failures in the log, and what is not flat."""
        broken = not_flat(self.warm, self.rests[0], self.rests[-1]) if self.rests else []
        return [*self.mixture.wrong, *self.mixture.service.faults(), *broken]

    @property
    def good(self) -> bool:
        """True if no promise was broken. False if no round is complete, as nothing was checked."""
        return len(self.rests) > 1 and not self.failures

    @property
    def verdict(self) -> str:
        """Verdict on the soak, in a line."""
        failures = len(self.failures)
        cut = "" if self.done >= self.plan.requests else f", cut after {self.done:,}"
        asked = f"{self.plan.requests:,} requests{cut}: "
        if failures:
            return f"{asked}{failures} failures"
        flat = (
            "nothing grew" if len(self.rests) > 1 else "no round was finished to tell whether anything grew"
        )
        return f"{asked}all answers right, and {flat}"

    def progress(self) -> str:
        """Return the progress in a line."""
        now = [*self.warm, *self.loaded][-1]
        at = f"{self.done:,} of {self.plan.requests:,} requests" if self.rests else "warm-up"
        held = (
            f"{now.lasting.rss:.0f} MiB, {now.lasting.descriptors} descriptors, {now.lasting.threads} threads"
        )
        return f"{at}, {self.mixture.speed:.0f} a second; {held}; {len(self.mixture.wrong)} wrong"

    def show(self) -> None:
        """Print the requests, the resources and the verdict."""
        sent = ", ".join(f"{count} {kind}" for kind, count in self.mixture.sent.most_common())
        print(f"sent: {sent}; {self.mixture.speed:.1f} a second;", end=" ")
        print(f"{self.mixture.rounded} good answers differ by a grey level somewhere\n")
        if self.rests:
            table = Table(COLUMNS, left=1)
            for name, figure in FIGURES.items():
                most = max(figure(sample) for sample in [*self.loaded, *self.rests])
                held = figure(self.rests[0]), most, figure(self.rests[-1])
                table.row(name, *(round(value, 1) for value in held), slope(self.loaded, figure))
        for failure in self.failures[:SHOWN]:
            print(f"FAILED: {failure}")
        print(self.verdict)

    def write(self, path: Path) -> None:
        """Write all results so far as JSON."""
        told = {
            "verdict": self.verdict,
            "failures": self.failures,
            "plan": asdict(self.plan),
            "done": self.done,
            "a second": self.mixture.speed,
            "sent": dict(self.mixture.sent),
            "rounded": self.mixture.rounded,
            **{name: [asdict(each) for each in getattr(self, name)] for name in ("rests", "warm", "loaded")},
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(told, indent=1))
