"""The table shows the report's figures beside ours, and the scale."""

from n2n_core.course.studies import STUDIES
from n2n_core.course.studies.table import markdown
from tests.core.course.studies.small import STUDY, record

RECORDS = [record("first", 22.0), record("second", 23.0), record("second", 24.0, seed=1)]


def grid(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_figures_stand_beside_the_reports() -> None:
    heading, _, first, ensemble, second = grid(markdown(STUDY, RECORDS))
    assert dict(zip(heading, first, strict=True)) == {
        "": "first", "parameters": "1,234", "report, dB": "24.50", "ours, dB": "22.00", "pooled, dB": "21.00",
        "report's gain": "+3.78", "our gain": "+1.00", "report, s": "12", "ours, s": "10",
    }  # fmt: skip
    assert ensemble[3] == "22.25"
    assert dict(zip(heading, second, strict=True)) == {
        "": "second", "parameters": "1,234", "report, dB": "", "ours, dB": "23.50 ± 0.71",
        "pooled, dB": "22.50 ± 0.71", "report's gain": "", "our gain": "+2.50", "report, s": "",
        "ours, s": "11",
    }  # fmt: skip


def test_the_scale_the_machine_and_what_was_not_run_are_told() -> None:
    text = markdown(STUDY, RECORDS)
    assert text.startswith("# Study: a small study\n\nIt says little.\n")
    assert "**Scale 0.01** of the report's training pairs, in float32." in text
    assert "21.00 dB per image, 20.00 pooled" in text
    assert "Abacus 1 (CPU threads: 2), n2n 0.1.0, torch 2.13.0, Python 3.12.1; 0.5 minutes in all." in text
    assert text.endswith("Not run: clean.\n")


def test_several_machines_are_each_told_once() -> None:
    other = record("clean", 25.0) | {"machine": {"device": "cuda", "name": "H 1", "threads": 8}}
    text = markdown(STUDY, [*RECORDS, other])
    assert text.count("Abacus 1") == text.count("H 1 (CPU threads: 8)") == 1
    assert "Not run" not in text


def test_columns_without_figures_are_left_out() -> None:
    heading = grid(markdown(STUDY, RECORDS[1:]))[0]
    assert heading == ["", "parameters", "ours, dB", "pooled, dB", "our gain", "ours, s"]


def test_gains_are_against_the_baseline() -> None:
    labels = [run.label for run in STUDIES["gains"].runs[:2]]
    lines = grid(markdown(STUDIES["gains"], [record(labels[0], 22.0), record(labels[1], 22.5)]))
    column = lines[0].index("against baseline")
    assert [line[column] for line in lines[2:]] == ["+0.00", "+0.25", "+0.50"]


def test_a_study_without_results_has_a_page() -> None:
    assert grid(markdown(STUDY, [])) == [[""], ["---"]]
