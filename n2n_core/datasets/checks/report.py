"""Results of the checks: for each a verdict, the value measured, and advice."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Verdict = Literal["fine", "warning", "refuse"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""From best to worst."""
CheckName = Literal[
    "shape", "range", "clipped", "files", "identical", "bias", "shift", "independent", "correlation", "noise",
    "brightness",
]  # fmt: skip
Shown = Literal["first", "second", "difference"]
"""Pictures of a scene: the first shot, the second, and their difference."""


@dataclass(frozen=True)
class Check:
    """Result of one check.

    Args:
        name: what was checked.
        verdict: ``fine``, ``warning`` (training must be forced) or ``refuse`` (training is impossible).
        figure: the value measured.
        unit: unit of ``figure``.
        message: what the value means, in a sentence.
        advice: what to do about it. Empty if the verdict is ``fine``.
    """

    name: CheckName
    verdict: Verdict
    figure: float
    unit: str
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Cell:
    """Where a crop is on the report's picture, in pixels.

    Args:
        scene: number of the scene in the dataset, from 0.
        shown: which of the scene's pictures it is.
        x: left edge.
        y: upper edge.
        width: of the crop.
        height: of the crop.
    """

    scene: int
    shown: Shown
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class CheckReport:
    """Results of all checks of one dataset.

    Args:
        fingerprint: fingerprint of the dataset.
        scenes: number of scenes that were looked at.
        checks: the results.
        picture: a PNG of some crops. With two shots, each row is a scene: the first shot, the second, and
            their amplified difference.
        cells: where the crops are on ``picture``, row by row.
    """

    fingerprint: str
    scenes: int
    checks: tuple[Check, ...]
    picture: bytes
    cells: tuple[Cell, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all checks."""
        return max((check.verdict for check in self.checks), key=VERDICTS.index)

    def blocks(self, force: bool = False) -> list[Check]:
        """Return the checks that prevent training. ``force`` overrides warnings, but not refusals."""
        return [c for c in self.checks if c.verdict == "refuse" or (c.verdict == "warning" and not force)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the picture, ready for JSON."""
        return {
            "fingerprint": self.fingerprint, "scenes": self.scenes, "verdict": self.verdict,
            "checks": [asdict(check) for check in self.checks],
            "cells": [asdict(cell) for cell in self.cells],
        }  # fmt: skip

    @classmethod
    def from_dict(cls, values: dict[str, Any], picture: bytes = b"") -> CheckReport:
        """Restore a report from the result of ``to_dict``. Those of older versions have no cells."""
        checks = tuple(Check(**check) for check in values["checks"])
        cells = tuple(Cell(**cell) for cell in values.get("cells", ()))
        return cls(values["fingerprint"], values["scenes"], checks, picture, cells)
