"""Write a study as a Markdown table, with the report's results beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import stdev

from n2n_core.course.studies.results import Record, Row, rows
from n2n_core.course.studies.study import NOISY, PlotKind, Study


def markdown(study: Study, records: Sequence[Record]) -> str:
    """Return the whole page: title, the report's result, and the table."""
    return f"# Study: {study.title}\n\n{study.says}\n\n{figures(study, records)}"


def figures(study: Study, records: Sequence[Record]) -> str:
    """Return the table, followed by the scale, the machine and the time."""
    found = rows(study, records)
    lines = [*_grid(_columns(study, found)), ""]
    if found:
        lines += [budget(records), "", *_missing(study, records)]
    return "\n".join(lines).rstrip() + "\n"


def budget(records: Sequence[Record]) -> str:
    """Return a paragraph on the scale, the noisy pictures, the machine and the time."""
    first, seconds = records[0], sum(record["seconds"] for record in records)
    precisions = " and ".join(dict.fromkeys(record["config"]["precision"] for record in records))
    noisy = f"{first['noisy_psnr']:.2f} dB per image, {first['noisy_psnr_pooled']:.2f} pooled"
    return (
        f"**Scale {first['scale']:g}** of the report's training pairs, in {precisions}. "
        f"Noisy pictures: {noisy} (the report's: {NOISY:.2f} per image). "
        f"{_machines(records)}; {seconds / 60:.1f} minutes in all."
    )


def _machines(records: Sequence[Record]) -> str:
    """List the machines and versions that computed the runs, each once."""
    found = dict.fromkeys(
        f"{record['machine']['name']} (CPU threads: {record['machine']['threads']}), "
        f"n2n {record['versions']['n2n']}, torch {record['versions']['torch']}, "
        f"Python {record['versions']['python']}"
        for record in records
    )
    return "; ".join(found)


def _columns(study: Study, found: Sequence[Row]) -> list[list[str]]:
    """Return the table's columns, each with its heading first. Columns without any value are left out."""
    base = found[0].mean if found else 0.0
    columns = [
        ["", *(row.label for row in found)],
        ["parameters", *(f"{row.parameters:,}" if row.parameters else "" for row in found)],
        ["report, dB", *(_decibels(row.report) for row in found)],
        ["ours, dB", *(_spread(row.psnr) for row in found)],
        ["pooled, dB", *(_spread(row.pooled) for row in found)],
        ["report's gain", *(_signed(row.report and row.report - NOISY) for row in found)],
        ["our gain", *(_signed(row.mean - row.noisy) for row in found)],
    ]
    if study.kind is PlotKind.BARS:
        columns.append(
            [f"against {found[0].label}" if found else "", *(_signed(row.mean - base) for row in found)]
        )
    columns += [
        ["report, s", *(f"{row.report_seconds:,.0f}" if row.report_seconds else "" for row in found)],
        ["ours, s", *(f"{row.seconds:,.0f}" if row.seconds is not None else "" for row in found)],
    ]
    return [columns[0], *(column for column in columns[1:] if any(column[1:]))]


def _grid(columns: Sequence[Sequence[str]]) -> list[str]:
    heading, *body = ("| " + " | ".join(cells) + " |" for cells in zip(*columns, strict=True))
    return [heading, "|---|" + "---:|" * (len(columns) - 1), *body]


def _missing(study: Study, records: Sequence[Record]) -> list[str]:
    """Return a line that lists the runs without results, if there are any."""
    done = {record["run"] for record in records}
    missing = [run.label for run in study.runs if run.label not in done]
    return [f"Not run: {', '.join(missing)}."] if missing else []


def _spread(values: Sequence[float]) -> str:
    """Format the mean, and the standard deviation if there are several values."""
    middle = sum(values) / len(values)
    return f"{middle:.2f} ± {stdev(values):.2f}" if len(values) > 1 else f"{middle:.2f}"


def _decibels(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"
