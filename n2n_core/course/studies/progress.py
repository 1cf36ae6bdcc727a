"""Progress of a study, and the time that is left."""

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
    """Progress of a study.

    Args:
        label: label of the run.
        run, runs: number of the run, from 1, and number of runs.
        share: fraction of the study's work that is done, 0 to 1.
        left: estimated seconds left, None if not known yet.
        psnr: PSNR of the run in dB, when it is complete.
    """

    label: str
    run: int
    runs: int
    share: float
    left: float | None
    psnr: float | None = None


class ProgressReporter:
    """Calls ``tell`` whenever a run makes progress or is complete.

    Args:
        planned: all runs.
        done: runs that were complete before.
    """

    def __init__(
        self, planned: Sequence[StudyRun], done: Sequence[StudyRun], tell: Callable[[StudyProgress], None]
    ) -> None:
        self.tell, self.number, self.runs, self.steps = tell, len(done), len(planned), 1
        self.total = sum(map(work, planned))
        self.before = self.reached = self.known = sum(map(work, done))
        self.began = monotonic()

    def begin(self, run: StudyRun) -> None:
        """Note that a run starts. Its events follow."""
        self.number += 1
        self.run, self.before = run, self.reached

    def __call__(self, event: Event) -> None:
        if event["event"] == "start":
            self.steps = event["total_steps"]
            self.known += event["step"] / self.steps * work(self.run)  # done by an earlier call
        self._reach(event["step"] / self.steps)

    def end(self, psnr: float) -> None:
        """Report that the run is complete."""
        self._reach(1.0, psnr)

    def _reach(self, share: float, psnr: float | None = None) -> None:
        self.reached = self.before + share * work(self.run)
        gained = self.reached - self.known
        left = (monotonic() - self.began) * (self.total - self.reached) / gained if gained > 0 else None
        self.tell(
            StudyProgress(self.run.label, self.number, self.runs, self.reached / self.total, left, psnr)
        )


def work(run: StudyRun) -> float:
    """Estimate the work of a run: one product per parameter and pixel, a fifth of that with strides."""
    strided = isinstance(run.architecture, StridedAutoEncoder)
    products = weights.count_parameters(run.architecture.build()) / (5 if strided else 1)
    return run.config.epochs * run.share * products
