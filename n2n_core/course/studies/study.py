"""What a study is: runs of the training loop, what the report says of them, and how they are drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from n2n_core.models.architectures import Architecture, pick_engine
from n2n_core.training.config import TrainConfig

PAIRS = 50_000
"""The report's training pairs; a run's ``share`` and a study's scale are of them."""

NOISY = 20.72
"""PSNR of the noisy pictures that the report validates on, per image, in dB."""


@dataclass(frozen=True)
class StudyRun:
    """One training, or several that differ in their seed.

    Args:
        label: another one for each run of a study.
        config: the recipe, but for its seed.
        architecture: the network.
        share: of the report's training pairs.
        repeats: seeds, from 0 on.
        report: the report's PSNR in dB, if it gives one.
        seconds: the report's time, if it gives one.
        x: where the run stands on the plot's axis.
        series: runs of the same series are joined by a line.
        clean: learn from clean targets, instead of noisy ones.
        ensemble: measure the 8-fold self-ensemble, too.
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
        """The same run in another precision; scratch networks know float32 alone."""
        by_hand = pick_engine(self.config.engine, self.architecture.engine) == "scratch"
        return (
            self if by_hand else replace(self, config=self.config.model_copy(update={"precision": precision}))
        )

    def pairs(self, scale: float) -> int:
        """How many pairs it trains on; at least a batch."""
        return max(self.config.batch_size, round(PAIRS * self.share * scale))


class PlotKind(Enum):
    """How a study is drawn."""

    POINTS = "a point for each run, over its x"
    CURVES = "a curve over the epochs for each run"
    BARS = "a bar for each run: its gain over the first one"
    PICTURES = "pictures: noisy, each run's, clean"


@dataclass(frozen=True)
class Study:
    """Runs that answer a question.

    Args:
        title: of the plot and the table.
        says: what the report says, or what is asked.
        runs: in the order in which they are trained and shown.
        kind: of the plot.
        axis: what ``x`` is.
        points: what the report's plot shows: ``x``, and dB.
        band: a part of the report's plot of which bounds are known: the first and last ``x``, and dB.
        epochs: whether the rows of the table are the epochs of the only run.
        loss: whether the training loss is drawn, too.
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
        """The same study, its networks on torch.nn in another precision."""
        return replace(self, runs=tuple(run.with_precision(precision) for run in self.runs))

    def pairs(self, scale: float) -> int:
        """How many pairs the largest of its runs trains on."""
        return max(run.pairs(scale) for run in self.runs)
