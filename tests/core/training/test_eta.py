"""The clock of a run, and what it foretells."""

import time

import pytest

from n2n_core.training.eta import Pace


def test_the_clock_goes_on_from_where_it_stood() -> None:
    pace = Pace(None, 1.0)
    pace.start(100.0)
    time.sleep(0.02)
    assert 100.02 <= pace.seconds < 110


def test_the_share_of_the_budget_ends_at_1() -> None:
    pace = Pace(200.0, 1.0)
    pace.start(100.0)
    assert pace.share == pytest.approx(0.5, abs=0.05)
    pace.start(1000.0)
    assert pace.share == 1.0
    assert Pace(None, 1.0).share == 0.0


def test_what_is_left_counts_steps_and_validations() -> None:
    pace = Pace(None, steps_a_validation=6.0)
    assert pace.left(10, 1) is None
    pace.stepped(2.0)
    assert pace.left(10, 3) == pytest.approx(10 * 2 + 3 * 6 * 2 / 3)
    pace.validated(5.0)
    assert pace.left(10, 3) == pytest.approx(10 * 2 + 3 * 5)
    pace.stepped(4.0)
    assert 2 * 10 < (pace.left(10, 0) or 0) < 4 * 10


def test_what_is_left_is_no_more_than_the_budget_and_its_last_validation() -> None:
    pace = Pace(60.0, 1.0)
    pace.stepped(2.0)
    pace.validated(3.0)
    assert pace.left(1000, 10) == pytest.approx(63, abs=1)
    assert pace.left(1, 1) == pytest.approx(5)
    pace.start(80.0)
    assert pace.left(1000, 10) == pytest.approx(3)
