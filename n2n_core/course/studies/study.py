"""A study: runs of the training loop, the report's results for them, and how they are plotted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from n2n_core.models.architectures import Architecture, pick_engine
from n2n_core.training.config import TrainConfig

PAIRS = 50_000
"""Number of training pairs in the report, which ``share`` and ``scale`` multiply."""

NOISY = 20.72
"""PSNR of the noisy pictures that the report validates on, per image, in dB."""


@dataclass(frozen=True)
class StudyRun:
    """One training run, or several that differ only in their seed.

    Args:
        label: unique name of the run in its study.
        config: the recipe without its seed.
        architecture: the network.
        share: fraction of the report's training pairs.
        repeats: number of seeds, from 0.
        report: PSNR in the report in dB, if given.
        seconds: training time in the report, if given.
        x: position on the plot's axis.
        series: runs of the same series are joined by a line.
        clean: train on clean targets instead of noisy ones.
        ensemble: also measure the 8-fold self-ensemble.
    """

    label: str
    config: TrainConfig
    architecture: Architecture
    share: float = 1.0
    repeats: int = 1
    report: float | None = None
    seconds: float | None = None
    x: float | None = None
    series: str = "ours"
    clean: bool = False
    ensemble: bool = False

    def with_precision(self, precision: str) -> StudyRun:
        """Return the run in another precision. Scratch networks always use float32."""
        by_hand = pick_engine(self.config.engine, self.architecture.engine) == "scratch"
        return (
            self if by_hand else replace(self, config=self.config.model_copy(update={"precision": precision}))
        )

    def pairs(self, scale: float) -> int:
        """Return the number of training pairs, at least one batch."""
        return max(self.config.batch_size, round(PAIRS * self.share * scale))


class PlotKind(Enum):
    """Kind of plot that shows a study."""

    POINTS = "a point for each run, over its x"
    CURVES = "a curve over the epochs for each run"
    BARS = "a bar for each run: its gain over the first one"
    PICTURES = "pictures: noisy, each run's, clean"


@dataclass(frozen=True)
class Study:
    """Training runs that answer a question.

    Args:
        title: title of the plot and the table.
        says: the report's result, or the question.
        runs: the runs, in the order in which they are trained and shown.
        kind: kind of plot.
        axis: label of the x axis.
        points: points of the report's plot: ``x`` and PSNR in dB.
        band: the report's plateau, if only bounds are known: first and last ``x``, lowest and highest dB.
        epochs: whether the rows of the table are the epochs of the only run.
        loss: whether the plot also shows the training loss.
    """

    title: str
    says: str
    runs: tuple[StudyRun, ...]
    kind: PlotKind
    axis: str = "epoch"
    points: tuple[tuple[float, float], ...] = ()
    band: tuple[tuple[float, float], tuple[float, float]] | None = None
    epochs: bool = False
    loss: bool = False

    def with_precision(self, precision: str) -> Study:
        """Return the study with its torch.nn networks in another precision."""
        return replace(self, runs=tuple(run.with_precision(precision) for run in self.runs))

    def pairs(self, scale: float) -> int:
        """Return the number of training pairs of the largest run."""
        return max(run.pairs(scale) for run in self.runs)
