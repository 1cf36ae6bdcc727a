"""Statuses and codes of problems stand in one table, and nowhere else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from service.access.quota import QuotaCode
from service.exceptions import Reason
from service.http import problem_types
from service.http.authentication import QUOTA_EXCEEDED
from service.http.errors import REFUSED

SERVICE = Path(problem_types.__file__).parents[1]
SOURCES = sorted(set(SERVICE.rglob("*.py")) - {Path(problem_types.__file__)})
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
ROWS = [row for row in vars(problem_types).values() if isinstance(row, problem_types.ProblemType)]


def pairs(source: str) -> Iterator[tuple[int, str]]:
    """Each error status written beside a word: in a call, a tuple or a list, or as a dictionary's item."""
    for node in ast.walk(ast.parse(source)):
        groups: list[list[ast.expr | None]] = []
        if isinstance(node, ast.Call):
            groups = [[*node.args, *(keyword.value for keyword in node.keywords)]]
        elif isinstance(node, ast.Tuple | ast.List):
            groups = [[*node.elts]]
        elif isinstance(node, ast.Dict):
            items = zip(node.keys, node.values, strict=True)
            groups = [[key, value] for key, value in items if _is_code(key) or _is_code(value)]
        for group in groups:
            values = [part.value for part in group if isinstance(part, ast.Constant)]
            statuses = [value for value in values if isinstance(value, int) and 400 <= value < 600]
            codes = [value for value in values if isinstance(value, str) and CODE.fullmatch(value)]
            yield from zip(statuses, codes, strict=False)


def _is_code(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value in {row.code for row in ROWS}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SERVICE)))
def test_only_the_table_pairs_a_status_with_a_code(path: Path) -> None:
    assert list(pairs(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        'raise ProblemError(422, "bad_request", detail)',
        'problem(request, 503, "deadline", detail, headers=headers)',
        'self._refusal = 431, "headers_too_large", detail',
        'ERRORS = {ImageError: (422, "bad_image")}',
        'ProblemError(status=404, code="not_found", detail=detail)',
        'STATUSES = {"conflict": 409}',
    ],
)
def test_a_pair_elsewhere_is_found(source: str) -> None:
    assert len(list(pairs(source))) == 1


def test_the_table_has_its_pairs() -> None:
    assert len(set(pairs(Path(problem_types.__file__).read_text()))) > 40


def test_every_reason_of_a_refusal_has_its_row() -> None:
    assert REFUSED.keys() == set(get_args(Reason))
    assert QUOTA_EXCEEDED.keys() == set(get_args(QuotaCode))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.status} {row.code}")
def test_a_row_is_well_formed(row: problem_types.ProblemType) -> None:
    assert 400 <= row.status < 600
    assert CODE.fullmatch(row.code)
    assert bool(row.path) == bool(row.detail)
