"""The plots have our points and the report's."""

from typing import Any

import pytest

from n2n_core.course.studies import STUDIES, PlotKind
from n2n_core.course.studies.charts import draw
from n2n_core.course.studies.results import Record
from n2n_core.training.run_folder import plots
from tests.core.course.studies.small import record
from tests.pictures import opened

DRAWN = {name: study for name, study in STUDIES.items() if study.kind is not PlotKind.PICTURES}


def results(name: str) -> list[Record]:
    runs = STUDIES[name].runs
    return [
        record(run.label, 20.0 + index, seed, run.config.epochs)
        for index, run in enumerate(runs)
        for seed in range(run.repeats)
    ]


def lines(axes: Any) -> dict[str, list[tuple[float, float]]]:
    return {line.get_label(): list(zip(*line.get_data(), strict=True)) for line in axes.lines}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in ("depth", "skip") else pytest.mark.slow) for name in DRAWN],
)
def test_every_study_is_drawn_with_and_without_results(name: str) -> None:
    for records in ([], results(name)[:1], results(name)):
        assert opened(plots.encode(draw(DRAWN[name], records), "png")).size[0] == 840


def test_points_stand_in_the_reports_axes_with_its_own() -> None:
    figure = draw(STUDIES["depth"], results("depth"))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("layers", "PSNR per image (dB)")
    assert lines(axes)["report"] == [(4, 23.69), (6, 22.63), (8, 20.91), (10, 20.10), (12, 19.31)]
    series = {box.get_label(): box.lines[0].get_xydata().tolist() for box in axes.containers}  # type: ignore[attr-defined]
    assert series["plain"] == [[4, 20], [6, 21], [8, 22], [10, 23], [12, 24]]
    assert [point[0] for point in series["residual"]] == [4, 6, 8, 10, 12]
    assert figure.get_supxlabel() == "scale 0.01 of the report's training pairs"


def test_repeats_have_a_spread() -> None:
    label = STUDIES["batch-size"].runs[0].label
    (axes,) = draw(STUDIES["batch-size"], [record(label, 20.0), record(label, 22.0, 1)]).axes
    (bar,) = axes.containers[0].lines[2][0].get_segments()  # type: ignore[attr-defined]
    assert bar.tolist() == [[1, 20], [1, 22]]


def test_a_known_part_of_the_reports_curve_is_a_band() -> None:
    (axes,) = draw(STUDIES["channels"], []).axes
    extent = axes.collections[0].get_datalim(axes.transData)
    assert [extent.x0, extent.x1, extent.y0, extent.y1] == [100, 400, 24.1, 24.4]


def test_curves_end_at_the_reports_points_and_the_loss_has_an_axis() -> None:
    psnr, loss = draw(STUDIES["skip"], results("skip")).axes
    assert lines(psnr)["report: with skip"] == [(25, 24.69)]
    assert lines(psnr)["with skip"][-1] == (25, 21.0)
    assert lines(loss)["training loss, without skip"][0] == (1, 0.1)
    assert len(loss.lines) == 2


def test_bars_are_gains_over_the_first() -> None:
    (axes,) = draw(STUDIES["gains"], results("gains")).axes
    widths = [patch.get_width() for patch in axes.patches]  # type: ignore[attr-defined]
    assert widths[:4] == [0.0, 0.25, 1.0, 2.0]
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == [
        "baseline",
        "baseline, 8-fold self-ensemble",
    ]
