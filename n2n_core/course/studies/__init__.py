"""The report's studies. ``n2n study NAME`` reproduces each with one command.

Reading order: ``study``, ``planted``, ``experiments``, ``results``, ``trainer``, ``engine``, ``progress``,
``parallel``, ``table``, ``charts``, ``pictures``.
"""

from pathlib import Path

from n2n_core.course.studies import charts, pictures, results, table
from n2n_core.course.studies.engine import check_budget, conduct
from n2n_core.course.studies.experiments import STUDIES
from n2n_core.course.studies.progress import StudyProgress
from n2n_core.course.studies.study import PAIRS, PlotKind, Study, StudyRun
from n2n_core.course.studies.trainer import StudyData
from n2n_core.files import atomic_path, storing
from n2n_core.training.run_folder import plots

__all__ = [
    "PAIRS",
    "STUDIES",
    "PlotKind",
    "Study",
    "StudyData",
    "StudyProgress",
    "StudyRun",
    "check_budget",
    "conduct",
    "write",
]

TABLE, PLOT = "table.md", "plot"


def write(study: Study, data: StudyData, folder: Path, device: str = "auto") -> str:
    """Write the table and the plot of the results in ``folder``, and return the table."""
    records = results.read(folder)
    text = table.markdown(study, records)
    files = {TABLE: text.encode()}
    done = {record["run"] for record in records}
    if study.kind is not PlotKind.PICTURES:
        figure = charts.draw(study, records)
    elif done == {run.label for run in study.runs}:
        figure = pictures.draw(study, data.validation, folder, device)
    else:
        figure = None
    if figure is not None:
        files |= {f"{PLOT}.{format}": plots.encode(figure, format) for format in plots.FORMATS}
    for name, content in files.items():
        with storing(folder / name), atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
    return text
