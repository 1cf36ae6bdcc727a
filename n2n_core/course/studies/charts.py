"""Plot a study's results on the axes of the report's figure, together with the report's points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import pstdev
from typing import TYPE_CHECKING, Any

from n2n_core.course.studies.results import Record, rows
from n2n_core.course.studies.study import PlotKind, Study
from n2n_core.training.run_folder import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REPORT: dict[str, Any] = {
    "color": "C3",
    "linestyle": "none",
    "marker": "x",
    "markersize": 8,
    "label": "report",
}


def draw(study: Study, records: Sequence[Record]) -> Figure:
    """Draw the study's plot. ``pictures.draw`` draws studies that compare pictures."""
    figure = CHARTS[study.kind](study, records)
    figure.suptitle(study.title, fontsize=10)
    if records:
        figure.supxlabel(
            f"scale {records[0]['scale']:g} of the report's training pairs", fontsize=8, color="0.3"
        )
    return figure


def points(study: Study, records: Sequence[Record]) -> Figure:
    """Draw a point for each run, with the standard deviation of its repeats."""
    figure, axes = plots.paper(study.axis, "PSNR per image (dB)")
    found = rows(study, records)
    for series in dict.fromkeys(row.series for row in found):
        own = [row for row in found if row.series == series and row.x is not None]
        axes.errorbar(
            [row.x or 0.0 for row in own], [row.mean for row in own], [pstdev(row.psnr) for row in own],
            marker="o", markersize=3, capsize=2, label=series,
        )  # fmt: skip
    _report(axes, study)
    return figure


def curves(study: Study, records: Sequence[Record]) -> Figure:
    """Draw each run's PSNR over its epochs, and its training loss if the study asks for it."""
    figure, axes = plots.paper(study.axis, "PSNR per image (dB)")
    for index, run in enumerate(study.runs):
        own = (record["history"] for record in records if record["run"] == run.label)
        history: list[Record] = next(own, [])
        epochs = [point["epoch"] for point in history]
        axes.plot(epochs, [point["psnr"] for point in history], f"C{index}o-", markersize=3, label=run.label)
        if run.report is not None:
            axes.plot(
                run.config.epochs,
                run.report,
                **{**REPORT, "label": f"report: {run.label}", "color": f"C{index}"},
            )
        if study.loss:
            losses = [point["loss"] for point in history]
            _beside(axes).plot(epochs, losses, f"C{index}:", label=f"training loss, {run.label}")
    _report(axes, study)
    return figure


def bars(study: Study, records: Sequence[Record]) -> Figure:
    """Draw a bar for each run: its gain over the first run."""
    figure, axes = plots.paper("gain (dB)", "")
    found = rows(study, records)
    gains = [row.mean - found[0].mean for row in found]
    axes.barh(
        [row.label for row in found], gains, xerr=[pstdev(row.psnr) for row in found], color="C0", capsize=2
    )
    axes.invert_yaxis()
    return figure


CHARTS: dict[PlotKind, Callable[[Study, Sequence[Record]], Figure]] = {
    PlotKind.POINTS: points,
    PlotKind.CURVES: curves,
    PlotKind.BARS: bars,
}


def _report(axes: Axes, study: Study) -> None:
    """Draw the report's points and its plateau, if it has them."""
    if study.points:
        x, y = zip(*study.points, strict=True)
        axes.plot(x, y, **REPORT)
    if study.band:
        (first, last), (low, high) = study.band
        axes.fill_between([first, last], low, high, color="C3", alpha=0.15, label="report's plateau")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)


def _beside(axes: Axes) -> Axes:
    """Return the second axes, for the loss. They share the epochs; make them if they do not exist."""
    for other in axes.figure.axes:
        if other is not axes:
            return other
    twin: Axes = axes.twinx()
    twin.set_ylabel("training loss (dotted)")
    return twin
