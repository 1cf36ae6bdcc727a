"""The pictures, and what is written into a study's folder."""

from dataclasses import replace
from pathlib import Path

from n2n_core.course.studies import PlotKind, write
from n2n_core.course.studies.pictures import draw
from tests.core.course.studies.small import RUNS, STUDY, conducted, data
from tests.pictures import opened

PICTURES = replace(STUDY, kind=PlotKind.PICTURES, runs=RUNS[:2])


def test_every_run_has_a_column_between_noisy_and_clean(tmp_path: Path) -> None:
    conducted(tmp_path, study=PICTURES)
    figure = draw(PICTURES, data().validation, tmp_path, "cpu")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["noisy", "first", "second", "clean"]
    first_row = [axes.get_xlabel() for axes in figure.axes[:4]]
    assert first_row[3] == ""
    assert all(label.endswith(" dB") for label in first_row[:3])
    assert len(set(first_row)) == 4


def test_a_table_and_a_plot_are_written(tmp_path: Path) -> None:
    conducted(tmp_path)
    text = write(STUDY, data(), tmp_path, "cpu")
    assert (tmp_path / "table.md").read_text() == text
    assert opened((tmp_path / "plot.png").read_bytes()).format == "PNG"
    before = (tmp_path / "plot.svg").read_bytes()
    assert before.startswith(b"<?xml")
    write(STUDY, data(), tmp_path, "cpu")
    assert (tmp_path / "plot.svg").read_bytes() == before


def test_pictures_wait_for_all_runs_and_the_table_does_not(tmp_path: Path) -> None:
    conducted(tmp_path, study=replace(PICTURES, runs=RUNS[:1]))
    assert "Not run: second." in write(PICTURES, data(), tmp_path, "cpu")
    assert not (tmp_path / "plot.png").exists()
    conducted(tmp_path, study=PICTURES)
    write(PICTURES, data(), tmp_path, "cpu")
    assert opened((tmp_path / "plot.png").read_bytes()).format == "PNG"
