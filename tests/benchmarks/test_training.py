"""The training benchmark compares the engines and loops that it claims to compare."""

import pytest
import torch

from benchmarks import training


@pytest.mark.parametrize("model", training.RECIPES)
def test_both_ways_train_the_same_network(model: str) -> None:
    noisy, target = torch.rand(2, 2, 3, 8, 8)
    losses = []
    for way in (training.ours, training.plain):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            step = way(model, noisy, target)
            losses.append([float(step()) for _ in range(3)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][2] < losses[0][0]


@pytest.mark.slow
def test_a_table_has_a_line_for_each_case(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "BATCHES", (1, 2))
    training.table(torch.device("cpu"), pairs=2)
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[:3] for line in lines] == [
        [*way, batch] for way in training.WAYS for batch in ("1", "2")
    ]
