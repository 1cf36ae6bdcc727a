"""Recipes as files: what a model was trained on, and how, so that one command makes it again.

A file in TOML has a table ``train``, the fields of ``TrainConfig``, and a table ``data``, which
says how photos become training data: ``kind`` is ``course`` (pairs by the course's rule, the other
keys those of ``n2n data``) or ``clean`` (pictures that noise is added to).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from n2n_core.errors import ConfigError
from n2n_core.recipe import TrainConfig

TABLES = ("train", "data")
COURSE = ("pairs", "validation", "held_out", "size", "min_block", "short_side", "seed")
DATA = {"course": COURSE, "clean": ()}
"""The kinds of data that photos can become, and what can be said of each."""

FIELDS = tuple(field.name for field in fields(TrainConfig) if field.name != "initial")


@dataclass(frozen=True)
class Recipe:
    """A recipe's two tables; ``data`` is empty where the data are given as they are."""

    train: Mapping[str, Any]
    data: Mapping[str, Any]


def load(path: Path) -> Recipe:
    """The recipe in ``path``.

    Raises:
        ConfigError: no such file, not TOML, or a key that no recipe has; values are checked where used.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}), expected a recipe") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    _check(path, "table", tables, TABLES)
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {name} is {table!r}, expected a table")
    train, data = tables.get("train", {}), tables.get("data", {})
    _check(path, "train", train, FIELDS)
    if data:
        if data.get("kind") not in DATA:
            raise ConfigError(
                f"{path}: data.kind is {data.get('kind')!r}, expected one of: {', '.join(DATA)}"
            )
        _check(path, "data", data, ("kind", *DATA[data["kind"]]))
    return Recipe(train, data)


def configured(recipe: Recipe, given: Mapping[str, Any]) -> TrainConfig:
    """The recipe's training, but for what is ``given``; the rest are ``TrainConfig``'s own values."""
    try:
        return TrainConfig(**{**recipe.train, **given})
    except TypeError as error:  # a value of another type than its field's
        raise ConfigError(f"the recipe's values do not fit: {error}") from error


def _check(path: Path, what: str, found: Iterable[str], known: Iterable[str]) -> None:
    for name in found:
        if name not in (known := tuple(known)):
            raise ConfigError(f"{path}: {what} has no {name!r}, expected one of: {', '.join(known)}")
