"""The page of the studies, and the script that puts results into it."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from n2n_core.course.studies import STUDIES, results
from tests.core.course.studies.small import record

DOCS = Path(__file__).parents[4] / "docs"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    names = runpy.run_path(str(DOCS / "studies.py"))
    page = tmp_path / "studies.md"
    page.write_text("before\n<!-- initial -->\nold\n<!-- end of initial -->\nafter\n")
    for name, path in (("PAGE", page), ("PLOTS", tmp_path / "studies")):
        monkeypatch.setitem(names["main"].__globals__, name, path)
    script: dict[str, Any] = names["main"].__globals__
    return script


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_results_with_their_command_and_scale(name: str) -> None:
    text = (DOCS / "studies.md").read_text()
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->\n\n\w", text, re.DOTALL)
    assert found
    assert f"    n2n study {name} data -o runs/{name} --scale " in found[1]
    assert re.search(r"\*\*Scale (1|0\.\d+)\*\*", found[1])


def test_results_take_the_place_of_older_ones(script: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "initial"
    folder.mkdir(parents=True)
    (folder / "plot.png").write_bytes(b"a plot")
    results.append(folder, record("table 1", 23.5, epochs=25))
    for _ in range(2):
        script["main"](tmp_path / "runs")
        text = script["PAGE"].read_text()
        assert text.startswith(
            "before\n<!-- initial -->\n\n    n2n study initial data -o runs/initial --scale 0.01\n"
        )
        assert text.endswith("<!-- end of initial -->\nafter\n")
        assert text.count("| table 1 | 1,234 | 23.88 | 23.50 |") == 1
        assert "old" not in text
    assert (tmp_path / "studies" / "initial.png").read_bytes() == b"a plot"


def test_runs_repeated_otherwise_than_usual_are_told(script: dict[str, Any]) -> None:
    study = STUDIES["initial"]
    twice = [record("table 1", 23.5), record("table 1", 23.6, seed=1)]
    assert "--scale 0.01 --repeats 2\n" in script["section"]("initial", study, twice)
