"""Percentiles and text tables."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, isnan, nan

Cell = str | int | float


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that ``share`` percent do not exceed; NaN if there are no values.

    >>> percentile([3, 1, 2, 4], 50)
    2
    """
    if not values:
        return nan
    return sorted(values)[max(0, ceil(len(values) * share / 100) - 1)]


def text(value: Cell) -> str:
    """Format with three significant digits, or all of the whole part; ``-`` if it was not measured."""
    if not isinstance(value, float):
        return str(value)
    if isnan(value):
        return "-"
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{decimals}f}"


class Table:
    """Prints each row when it is known, below a line of names: the first ``left`` columns to the left.

    Args:
        columns: names and widths.
        left: how many columns hold words.
    """

    def __init__(self, columns: dict[str, int], left: int) -> None:
        self.widths, self.left = list(columns.values()), left
        self.row(*columns)

    def row(self, *cells: Cell) -> None:
        """Print a line."""
        places = [
            f"{text(cell):<{width}}" if index < self.left else f"{text(cell):>{width}}"
            for index, (cell, width) in enumerate(zip(cells, self.widths, strict=True))
        ]
        print(" ".join(places).rstrip(), flush=True)
