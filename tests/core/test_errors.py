"""The tree of errors is complete, and messages quote the bad value and what was expected."""

import builtins
import inspect

import pytest

from n2n_core import errors
from n2n_core.errors import (
    DivergedError,
    N2NError,
    OutOfMemoryError,
    ShapeError,
    StorageError,
    UnknownModelError,
)

CLASSES = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
]
TREE = inspect.getdoc(errors) or ""


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_one_root_and_a_docstring(kind: type[Exception]) -> None:
    assert issubclass(kind, N2NError)
    assert kind.__doc__
    assert kind.__name__.endswith("Error")
    assert not hasattr(builtins, kind.__name__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_stands_in_the_tree_below_its_parent(kind: type[Exception]) -> None:
    lines = TREE.splitlines()
    row, column = place(kind.__name__, lines)
    if kind is not N2NError:
        above = [place(parent.__name__, lines) for parent in CLASSES if parent is not kind]
        parent_row, _ = max(spot for spot in above if spot[0] < row and spot[1] < column)
        assert kind.__base__ is not None
        assert kind.__base__.__name__ in lines[parent_row]


def place(name: str, lines: list[str]) -> tuple[int, int]:
    spots = [(row, line.index(name)) for row, line in enumerate(lines) if name in line.split()]
    assert len(spots) == 1, f"{name} stands {len(spots)} times in the tree"
    return spots[0]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ShapeError("psnr", "the shape", (1, 2), "(1, 3)"), "psnr: the shape is (1, 2), expected (1, 3)"),
        (UnknownModelError("x", ["b", "a"]), "unknown model 'x'; known models: a, b"),
        (StorageError("a/b", "No space left on device"), "a/b: cannot be written (No space left on device)"),
        (
            OutOfMemoryError(7, 16, 64),
            "out of memory at step 7: batch_size is 16 and crop 64, try a smaller value",
        ),
        (DivergedError(7, 0.5), "the loss is not a number at step 7: lr is 0.5, try a smaller value"),
    ],
)
def test_messages(error: N2NError, message: str) -> None:
    assert str(error) == message


def test_an_unknown_model_carries_its_name_and_the_known_ones() -> None:
    error = UnknownModelError("x", ("b", "a"))
    assert (error.name, error.known) == ("x", ["a", "b"])
    assert isinstance(error, KeyError)
