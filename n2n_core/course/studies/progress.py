"""How far a study is, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from n2n_core.course.studies.study import StudyRun
from n2n_core.models import weights
from n2n_core.models.architectures import StridedAutoEncoder
from n2n_core.training.run_folder.event_log import Event


@dataclass(frozen=True)
class StudyProgress:
    """A report.

    Args:
        label: of the run.
        run, runs: its number, from 1 on, and how many there are.
        share: of the whole study's work, 0 to 1.
        left: estimated seconds, None while nobody knows.
        psnr: of the run, in dB, when it is complete.
    """

    label: str
    run: int
    runs: int
    share: float
    left: float | None
    psnr: float | None = None


class ProgressReporter:
    """Calls ``tell`` whenever a run under way gets further, or is complete.

    Args:
        planned: all runs.
        done: those that need not be done.
    """

    def __init__(
        self, planned: Sequence[StudyRun], done: Sequence[StudyRun], tell: Callable[[StudyProgress], None]
    ) -> None:
        self.tell, self.number, self.runs, self.steps = tell, len(done), len(planned), 1
        self.total = sum(map(work, planned))
        self.before = self.reached = self.known = sum(map(work, done))
        self.began = monotonic()

    def begin(self, run: StudyRun) -> None:
        """It is under way; its events follow."""
        self.number += 1
        self.run, self.before = run, self.reached

    def __call__(self, event: Event) -> None:
        if event["event"] == "start":
            self.steps = event["total_steps"]
            self.known += event["step"] / self.steps * work(self.run)  # was done before this call
        self._reach(event["step"] / self.steps)

    def end(self, psnr: float) -> None:
        """The run is complete."""
        self._reach(1.0, psnr)

    def _reach(self, share: float, psnr: float | None = None) -> None:
        self.reached = self.before + share * work(self.run)
        gained = self.reached - self.known
        left = (monotonic() - self.began) * (self.total - self.reached) / gained if gained > 0 else None
        self.tell(
            StudyProgress(self.run.label, self.number, self.runs, self.reached / self.total, left, psnr)
        )


def work(run: StudyRun) -> float:
    """About what a run costs: a parameter is a product for each pixel, with strides for each fifth."""
    strided = isinstance(run.architecture, StridedAutoEncoder)
    products = weights.count_parameters(run.architecture.build()) / (5 if strided else 1)
    return run.config.epochs * run.share * products
