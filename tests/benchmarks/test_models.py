"""The benchmark of the models runs every case that it lists."""

import sys

import pytest

from benchmarks import models
from benchmarks.models import Case
from n2n_core.models import architectures


def test_a_table_has_a_line_for_each_other_model_and_case(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "CASES", (Case(2, 8), Case(1, 12)))
    monkeypatch.setattr(sys, "argv", ["models", "--pairs", "2", "--threads", "1"])
    models.main()
    lines = capsys.readouterr().out.splitlines()[2:]
    others = [name for name in architectures.MODELS if name != models.BASE]
    assert [line.split()[0] for line in lines] == [name for name in others for _ in models.CASES]
    assert all(float(line.split()[6]) > 0 for line in lines)
