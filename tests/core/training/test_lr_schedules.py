"""Learning-rate schedules: first and last value, shape, and no jumps."""

from itertools import pairwise

import pytest

from n2n_core.training.lr_schedules import SCHEDULES, constant, cosine, onecycle

STEPS = 10_000
GRID = [step / STEPS for step in range(STEPS + 1)]


@pytest.mark.parametrize(
    ("name", "progress", "factor"),
    [
        ("constant", 0.0, 1.0), ("constant", 0.5, 1.0), ("constant", 1.0, 1.0),
        ("cosine", 0.0, 1.0), ("cosine", 0.5, 0.5), ("cosine", 1.0, 0.0),
        ("onecycle", 0.0, 0.04), ("onecycle", 0.1, 0.52), ("onecycle", 0.2, 1.0), ("onecycle", 0.6, 0.5),
        ("onecycle", 1.0, 0.0),
    ],
)  # fmt: skip
def test_known_points(name: str, progress: float, factor: float) -> None:
    assert SCHEDULES[name](progress) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_stay_between_0_and_1_without_jumps(name: str) -> None:
    factors = [SCHEDULES[name](progress) for progress in GRID]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) == 1
    assert max(abs(b - a) for a, b in pairwise(factors)) < 10 / STEPS


def test_cosine_only_falls() -> None:
    assert all(cosine(a) > cosine(b) for a, b in pairwise(GRID))


@pytest.mark.parametrize(("warmup", "start"), [(0.2, 0.04), (0.5, 0.0), (0.01, 0.9), (0.0, 0.5)])
def test_onecycle_rises_to_its_peak_then_falls(warmup: float, start: float) -> None:
    rising = [onecycle(progress, warmup, start) for progress in GRID if progress < warmup]
    falling = [onecycle(progress, warmup, start) for progress in GRID if progress >= warmup]
    assert all(a < b for a, b in pairwise(rising))
    assert all(a > b for a, b in pairwise(falling))
    assert falling[0] == pytest.approx(1, abs=1e-6)
    assert falling[-1] == pytest.approx(0, abs=1e-12)
    assert rising[:1] == ([pytest.approx(start)] if warmup else [])


def test_constant_is_constant() -> None:
    assert {constant(progress) for progress in GRID} == {1.0}
