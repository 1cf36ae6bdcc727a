"""The clock of a training run, and the estimate of the time that is left."""

from __future__ import annotations

from time import monotonic

FORWARD = 1 / 3
"""Time of a forward pass as a fraction of a training step, until a validation has been measured."""

RECENT = 0.3
"""Weight of the newest measurement in an exponential moving average."""


class RunClock:
    """Measures how long a run takes. It stands still while the run is stopped.

    Args:
        budget: seconds that the run may take, or None.
        steps_per_validation: training steps that process as many pixels as one validation.
    """

    def __init__(self, budget: float | None, steps_per_validation: float) -> None:
        self.budget, self.steps_per_validation = budget, steps_per_validation
        self.step: float | None = None
        self.validation: float | None = None
        self.start(0.0)

    def start(self, seconds: float) -> None:
        """Continue from ``seconds``."""
        self.before, self.began = seconds, monotonic()

    @property
    def seconds(self) -> float:
        """Seconds that the run has taken, without the time in which it was stopped."""
        return self.before + monotonic() - self.began

    @property
    def used(self) -> float:
        """Fraction of the time budget used, 0 to 1 (0 if there is no budget)."""
        return 0.0 if self.budget is None else min(self.seconds / self.budget, 1.0)

    def record_step(self, seconds: float) -> None:
        """Record the duration of a training step."""
        self.step = _average(self.step, seconds)

    def record_validation(self, seconds: float) -> None:
        """Record the duration of a validation."""
        self.validation = _average(self.validation, seconds)

    def eta(self, steps: int, validations: int) -> float | None:
        """Return the seconds that are left, or None before the first step was recorded.

        Args:
            steps: steps that are left.
            validations: validations that are left. With a budget, the last one may exceed it.
        """
        if self.step is None:
            return None
        validation = self.validation
        if validation is None:
            validation = self.step * self.steps_per_validation * FORWARD
        left = steps * self.step + validations * validation
        if self.budget is None:
            return left
        return min(left, max(self.budget - self.seconds, 0.0) + validation)


def _average(average: float | None, value: float) -> float:
    return value if average is None else average + RECENT * (value - average)
