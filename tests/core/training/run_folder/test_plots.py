"""Plots of a run's history."""

from pathlib import Path
from typing import Any

import pytest

from n2n_core.errors import ConfigError
from n2n_core.training.run_folder import plots
from n2n_core.training.run_folder.event_log import Event, EventLog
from tests.pictures import opened

FLOOR = 0.01


def history(floor: float | None = FLOOR, **figures: Any) -> list[Event]:
    events: list[Event] = [{"event": "start", "step": 0, "loss": "mse", "noise_floor": floor}]
    for epoch in (1, 2, 3):
        events.append({"event": "step", "step": 10 * epoch, "loss": 0.02 / epoch + FLOOR})
        events.append({"event": "epoch", "step": 10 * epoch, "epoch": epoch, **figures})
    return events


def lines(figure: Any) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].lines}


def test_the_loss_is_drawn_with_the_floor_where_it_stops_and_why() -> None:
    figure = plots.loss_curve(history(validation_loss=0.012))
    drawn = lines(figure)
    assert drawn["training"] == pytest.approx([0.03, 0.02, 0.02 / 3 + FLOOR])
    assert drawn["validation (mse)"] == [0.012] * 3
    assert drawn["noise floor: variance of the noise"] == [FLOOR, FLOOR]
    assert "the loss is the variance of their noise" in figure.get_supxlabel()


def test_no_floor_is_drawn_where_none_is_known_or_the_loss_is_another() -> None:
    assert set(lines(plots.loss_curve(history(floor=None)))) == {"training"}
    other = history()
    other[0]["loss"] = "l1"
    assert set(lines(plots.loss_curve(other))) == {"training"}


def test_a_step_that_was_repeated_after_a_crash_is_drawn_once() -> None:
    twice = [*history(), {"event": "step", "step": 20, "loss": 0.5}]
    assert lines(plots.loss_curve(twice))["training"] == pytest.approx([0.03, 0.5, 0.02 / 3 + FLOOR])


@pytest.mark.parametrize(
    ("figures", "labels"),
    [
        ({"psnr": 30.0, "noisy_psnr": 20.0}, {"denoised", "noisy"}),
        ({"psnr_estimate": 30.0}, {"denoised, estimated from two noisy shots"}),
        ({"psnr": None}, set()),
    ],
)
def test_the_psnr_is_drawn_where_it_is_known(figures: dict[str, Any], labels: set[str]) -> None:
    assert set(lines(plots.psnr_curve(history(**figures)))) == labels


@pytest.mark.parametrize("curve", plots.CURVES)
def test_every_plot_is_made_of_any_history(curve: str) -> None:
    for events in ([], history()[:1], history(psnr=31.0)):
        png = plots.encode(plots.CURVES[curve](events), "png")
        assert opened(png).size == (840, 480)


def test_files_are_written_for_a_run_and_are_the_same_each_time(tmp_path: Path) -> None:
    log = EventLog(tmp_path, lambda event: None)
    for event in history(psnr=30.0):
        log.emit(event.pop("event"), **event)
    plots.write(tmp_path)
    folder = tmp_path / plots.FOLDER
    assert {path.name for path in folder.iterdir()} == {"loss.png", "loss.svg", "psnr.png", "psnr.svg"}
    before = (folder / "loss.svg").read_bytes()
    assert before.startswith(b"<?xml")
    plots.write(tmp_path)
    assert (folder / "loss.svg").read_bytes() == before


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="format is 'gif', expected one of: png, svg"):
        plots.encode(plots.loss_curve([]), "gif")
