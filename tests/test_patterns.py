"""No pattern takes more than linear time on what strangers send: each one that there is, with the reason.

Python's ``re`` tries again from each place and holds the interpreter's lock meanwhile: a kilobyte can stop a
service.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _constants as codes
from re import _parser as parser
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [
    path for package in ("n2n_core", "n2n_client", "service") for path in (ROOT / package).rglob("*.py")
]

LINEAR = "linear: see the check"
OURS = "of our own text"
RUST = "pydantic's engine has no backtracking"

PATTERNS = {
    ("n2n_client/multipart.py", r"""multipart/form-data; *boundary="?([^";]+)"?"""): LINEAR,
    ("n2n_client/transport.py", r"[A-Za-z0-9._~+/-]+=*"): LINEAR,
    ("n2n_core/course/studies/trainer.py", "[^a-z0-9]+"): LINEAR,
    ("n2n_core/datasets/importing/naming.py", r"(\d+)"): LINEAR,
    ("n2n_core/datasets/importing/naming.py", r"(\{scene\}|\{shot\})"): LINEAR,
    ("n2n_core/datasets/importing/naming.py", "pattern"): (
        "a template of two repeats (the service takes no others), or what the command line's user gives;"
        " names have 512 characters at most, and the first one that does not fit ends the import"
    ),
    ("n2n_core/image/jpeg.py", r"\xff[\xc0-\xc7\xc9-\xcf\xd9-\xef\xfe]"): LINEAR,
    ("n2n_core/models/names.py", "[a-z0-9][a-z0-9._-]{0,63}"): LINEAR,
    ("n2n_core/models/weights.py", r"NAME.pattern + '\\.safetensors'"): OURS,
    ("service/access/keys.py", "[A-Za-z0-9._-]{1,64}"): LINEAR,
    ("service/api/docs.py", "<script>(.*?)</script>"): OURS,
    ("service/api/paging.py", "f'^{UUID}$'"): RUST,
    ("service/api/schemas.py", r"\{scene\}.*\{shot\}|\{shot\}.*\{scene\}"): RUST,
    ("service/api/train_jobs/jobs.py", r"(?:^|[,;\s])wait\s*=\s*(\d{1,9})"): LINEAR,
    ("service/api/train_jobs/submission.py", "[^a-z0-9._]+"): LINEAR,
    ("service/http/middleware.py", "[A-Za-z0-9._-]{1,64}"): LINEAR,
    ("service/settings/server.py", r"\*|https?://[^\s/?#@,]+"): LINEAR,
}
"""File and pattern, literal or as it is written, and why it may be there."""

REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)
Items = list[Any]
"""Of a parsed pattern: pairs of operation and argument."""

FUNCTIONS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}


def patterns(source: str) -> Iterator[str]:
    """The patterns in a source: literals, or expressions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "re":
            yield ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        module, _, function = ast.unparse(node.func).rpartition(".")
        given = [word.value for word in node.keywords if word.arg in ("pattern", "regex")]
        if module == "re" and function in FUNCTIONS:
            given += node.args[:1]
        for argument in given:
            value = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
            yield value.decode("latin-1") if isinstance(value, bytes) else str(value)


def is_linear(pattern: str) -> bool:
    """Whether a search takes linear time: no endless repeat may give back what the next item could take."""
    return _is_linear([*parser.parse(pattern.encode("latin-1"))], first=True)


def _is_linear(items: Items, first: bool) -> bool:
    for index, (operation, argument) in enumerate(items):
        rest, first = items[index + 1 :], first and index == 0
        if operation in REPEATS and argument[1] == codes.MAXREPEAT:
            inner = [*argument[2]]
            if len(inner) != 1 or _repeats(inner) or _starts(inner) & _starts(rest):
                return False
            if first and not _may_be_empty(rest):  # a search begins again at each place that it has taken
                return False
        if not all(
            _is_linear([*branch, *rest], first) for branch in _branches(operation, argument) if branch
        ):
            return False
    return True


def _branches(operation: Any, argument: Any) -> list[Items]:
    """What an item can stand for, if it is a group or comes at most once."""
    if operation is codes.SUBPATTERN:
        return [[*argument[-1]]]
    if operation is codes.BRANCH:
        return [[*branch] for branch in argument[1]]
    return [[*argument[2]]] if operation in REPEATS and argument[1] == 1 else []


def _repeats(items: Items) -> bool:
    return any(item[0] in REPEATS or any(map(_repeats, _branches(*item))) for item in items)


def _may_be_empty(items: Items) -> bool:
    return all(
        operation is codes.AT
        or (operation in REPEATS and argument[0] == 0)
        or any(map(_may_be_empty, _branches(operation, argument)))
        for operation, argument in items
    )


def _starts(items: Items) -> set[int]:
    """The bytes with which items can start."""
    found = set[int]()
    for operation, argument in items:
        if operation in REPEATS:
            found |= _starts([*argument[2]])
        elif branches := _branches(operation, argument):
            found |= set[int]().union(*map(_starts, branches))
        elif operation is not codes.AT:
            found |= _bytes(operation, argument)
        if not _may_be_empty([(operation, argument)]):
            break
    return found


def _bytes(operation: Any, argument: Any) -> set[int]:
    tree = parser.parse(b"x", re.DOTALL)
    tree.data = [(operation, argument)]
    one = compiler.compile(tree, re.DOTALL)
    return {code for code in range(256) if one.fullmatch(bytes([code]))}


def found() -> set[tuple[str, str]]:
    return {
        (str(path.relative_to(ROOT)), pattern) for path in SOURCES for pattern in patterns(path.read_text())
    }


def test_every_pattern_is_known_with_its_reason() -> None:
    assert found() == set(PATTERNS)


@pytest.mark.parametrize(
    "pattern", [pattern for (_, pattern), reason in PATTERNS.items() if reason == LINEAR]
)
def test_patterns_for_strangers_are_linear(pattern: str) -> None:
    assert is_linear(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r'\s*tiff:Orientation="[0-9]*"|<tiff:Orientation>[0-9]*</tiff:Orientation>',
        r".+?[-_. ]+(?:shot)?[-_]?\d+",
        r"content-disposition: *form-data;.*?name=",
        r"\d+ hdrcharset=([^\n]+)\n",
        "(a+)+b",
        "(a|b)*c+c",
        "x[ab]*a",
        "x(?:a+|b)a",
        "x(a*)a",
        "(?:a*b?)*",
    ],
)
def test_the_check_finds_what_it_is_for(pattern: str) -> None:
    assert not is_linear(pattern)
