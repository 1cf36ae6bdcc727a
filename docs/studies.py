"""Write results into ``studies.md``: ``python docs/studies.py runs`` for studies in ``runs/NAME``.

The text between a study's two markers is replaced by its command, plot and table; other text stays.
Pictures of photos are left out, as the photos have their own licences.
"""

import re
import shutil
import sys
from pathlib import Path

from n2n_core.course.studies import STUDIES, PlotKind, Study, results, table

PAGE = Path(__file__).with_suffix(".md")
PLOTS = Path(__file__).with_name("studies")


def main(runs: Path) -> None:
    """Write the page, and the plots beside it."""
    text = PAGE.read_text()
    for name, study in STUDIES.items():
        if (runs / name / "plot.png").exists():  # else it has not been completed
            records = results.read(runs / name)
            block = section(name, study, records)
            text = re.sub(
                markers(name), lambda found, block=block: found[1] + block + found[2], text, flags=re.DOTALL
            )
            if study.kind is not PlotKind.PICTURES:
                PLOTS.mkdir(exist_ok=True)
                shutil.copy(runs / name / "plot.png", PLOTS / f"{name}.png")
    PAGE.write_text(text)


def markers(name: str) -> str:
    """Return a pattern for a study's two markers and the text between them."""
    return rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"


def section(name: str, study: Study, records: list[results.Record]) -> str:
    """Return the text between the markers."""
    scale, seeds = records[0]["scale"], {record["seed"] for record in records}
    repeats = f" --repeats {len(seeds)}" if len(seeds) != max(run.repeats for run in study.runs) else ""
    precision = "" if records[0]["precision"] == "float32" else f" --precision {records[0]['precision']}"
    command = f"    n2n study {name} data -o runs/{name} --scale {scale:g}{precision}{repeats}"
    plot = "" if study.kind is PlotKind.PICTURES else f"\n![{study.title}](studies/{name}.png)\n"
    return f"\n{command}\n{plot}\n{table.figures(study, records)}\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
