"""The cases have all pairs of values, and are few."""

from collections.abc import Sequence
from itertools import combinations, product
from math import prod
from typing import Any

import pytest

from tests.pairwise import pairwise

GRIDS = [("ab", "cd"), ("abc", "ab"), ("abc", (1, 2), "abcde", (True, False)), (range(5), *["abc"] * 3)]


def pairs(cases: Sequence[tuple[Any, ...]]) -> set[object]:
    return {pair for case in cases for pair in combinations(enumerate(case), 2)}


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_all_pairs_are_there_in_cases_of_the_grid(grid: tuple[str, ...]) -> None:
    whole = list(product(*grid))
    assert pairs(pairwise(*grid)) == pairs(whole)
    assert set(pairwise(*grid)) <= set(whole)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_there_are_not_many_more_cases_than_the_two_largest_parameters_need(grid: tuple[str, ...]) -> None:
    least = prod(sorted(map(len, grid))[-2:])
    assert least <= len(pairwise(*grid)) <= 1.4 * least
