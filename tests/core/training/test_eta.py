"""The clock of a run, and its estimate of the time left."""

import time

import pytest

from n2n_core.training.eta import RunClock


def test_the_clock_goes_on_from_where_it_stood() -> None:
    clock = RunClock(None, 1.0)
    clock.start(100.0)
    time.sleep(0.02)
    assert 100.02 <= clock.seconds < 110


def test_the_share_of_the_budget_ends_at_1() -> None:
    clock = RunClock(200.0, 1.0)
    clock.start(100.0)
    assert clock.used == pytest.approx(0.5, abs=0.05)
    clock.start(1000.0)
    assert clock.used == 1.0
    assert RunClock(None, 1.0).used == 0.0


def test_what_is_left_counts_steps_and_validations() -> None:
    clock = RunClock(None, steps_per_validation=6.0)
    assert clock.eta(10, 1) is None
    clock.record_step(2.0)
    assert clock.eta(10, 3) == pytest.approx(10 * 2 + 3 * 6 * 2 / 3)
    clock.record_validation(5.0)
    assert clock.eta(10, 3) == pytest.approx(10 * 2 + 3 * 5)
    clock.record_step(4.0)
    assert 2 * 10 < (clock.eta(10, 0) or 0) < 4 * 10


def test_what_is_left_is_no_more_than_the_budget_and_its_last_validation() -> None:
    clock = RunClock(60.0, 1.0)
    clock.record_step(2.0)
    clock.record_validation(3.0)
    assert clock.eta(1000, 10) == pytest.approx(63, abs=1)
    assert clock.eta(1, 1) == pytest.approx(5)
    clock.start(80.0)
    assert clock.eta(1000, 10) == pytest.approx(3)
