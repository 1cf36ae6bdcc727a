"""Choose a few cases instead of a full grid, so that every pair of parameter values occurs in one of them."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import pytest

Case = tuple[Any, ...]
Pair = tuple[tuple[int, int], tuple[int, int]]


def pairwise(*parameters: Sequence[Any]) -> list[Case]:
    """Return cases, each with a value of every parameter, that have all pairs of values; always the same.

    Greedy: the next case is the one of the grid that has most of the pairs that are still missing.

    >>> pairwise("ab", (0, 1), "xy")
    [('a', 0, 'x'), ('a', 1, 'y'), ('b', 0, 'y'), ('b', 1, 'x')]
    """
    grid = [_pairs(indices) for indices in product(*(range(len(values)) for values in parameters))]
    missing, cases = set[Pair]().union(*grid), list[Case]()
    while missing:
        best = max(grid, key=lambda pairs: len(pairs & missing))
        missing -= best
        chosen = dict(index for pair in best for index in pair)
        cases.append(tuple(values[chosen[place]] for place, values in enumerate(parameters)))
    return cases


def grid(*parameters: Sequence[Any]) -> list[Any]:
    """Return the whole grid for ``parametrize``: the pairwise cases, and the others as slow tests."""
    chosen = pairwise(*parameters)
    others = [case for case in product(*parameters) if case not in chosen]
    return [
        *(pytest.param(*case) for case in chosen),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in others),
    ]


def _pairs(indices: tuple[int, ...]) -> frozenset[Pair]:
    return frozenset(combinations(enumerate(indices), 2))
