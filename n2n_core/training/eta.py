"""How long a training run takes: the time so far, its budget, and an estimate of what is left."""

from __future__ import annotations

from time import monotonic

FORWARD = 1 / 3
"""A forward pass's share of a training step, until a validation was measured."""

RECENT = 0.3
"""Weight of the newest measurement in a running mean."""


class Pace:
    """The clock of a run, which stands still while the run does.

    Args:
        budget: seconds that the run may take, or None.
        steps_a_validation: how many training steps have as many pixels as a validation.
    """

    def __init__(self, budget: float | None, steps_a_validation: float) -> None:
        self.budget, self.steps_a_validation = budget, steps_a_validation
        self.step: float | None = None
        self.validation: float | None = None
        self.start(0.0)

    def start(self, seconds: float) -> None:
        """Go on from ``seconds``."""
        self.before, self.began = seconds, monotonic()

    @property
    def seconds(self) -> float:
        """Since the run's first start, without the time in which it was stopped."""
        return self.before + monotonic() - self.began

    @property
    def share(self) -> float:
        """Of the budget that is used up, 0 to 1; 0 without one."""
        return 0.0 if self.budget is None else min(self.seconds / self.budget, 1.0)

    def stepped(self, seconds: float) -> None:
        """Note what a step took."""
        self.step = _mean(self.step, seconds)

    def validated(self, seconds: float) -> None:
        """Note what a validation took."""
        self.validation = _mean(self.validation, seconds)

    def left(self, steps: int, validations: int) -> float | None:
        """Seconds for so many steps and validations, or to the budget's end; None if not yet known."""
        if self.step is None:
            return None
        validation = self.validation
        if validation is None:
            validation = self.step * self.steps_a_validation * FORWARD
        left = steps * self.step + validations * validation
        if self.budget is None:
            return left
        return min(left, max(self.budget - self.seconds, 0.0) + validation)


def _mean(mean: float | None, value: float) -> float:
    return value if mean is None else mean + RECENT * (value - mean)
