"""What the checks found: a verdict, a figure, and what to do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Verdict = Literal["fine", "warning", "refuse"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""From best to worst."""


@dataclass(frozen=True)
class Check:
    """One property of the data.

    Args:
        name: of the property.
        verdict: ``fine``; ``warning``: training can be forced; ``refuse``: it cannot.
        figure: what was measured.
        unit: of the figure.
        message: what it means, in a sentence.
        advice: what to do about it; empty if fine.
    """

    name: str
    verdict: Verdict
    figure: float
    unit: str
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Report:
    """All checks of one dataset.

    Args:
        fingerprint: of the data that were checked.
        scenes: how many were looked at.
        checks: the results.
        picture: a PNG: for two shots, a row a scene with the first, the second, and their
            difference amplified.
    """

    fingerprint: str
    scenes: int
    checks: tuple[Check, ...]
    picture: bytes

    @property
    def verdict(self) -> Verdict:
        """The worst of all checks."""
        return max((check.verdict for check in self.checks), key=VERDICTS.index)

    def blocks(self, force: bool = False) -> list[Check]:
        """The checks that keep training from starting; ``force`` overrides warnings alone."""
        return [c for c in self.checks if c.verdict == "refuse" or (c.verdict == "warning" and not force)]

    def to_dict(self) -> dict[str, Any]:
        """All but the picture, ready for JSON."""
        return {
            "fingerprint": self.fingerprint, "scenes": self.scenes, "verdict": self.verdict,
            "checks": [asdict(check) for check in self.checks],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any], picture: bytes = b"") -> Report:
        """What ``to_dict`` gave."""
        checks = tuple(Check(**check) for check in values["checks"])
        return cls(values["fingerprint"], values["scenes"], checks, picture)
