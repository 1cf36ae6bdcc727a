"""Recipes as files: what a model was trained on, and how, so that one command makes it again.

A file in TOML has a table ``train``, the fields of ``TrainConfig``, and a table ``data``, which
says how photos become training data: ``kind`` is ``course`` (pairs by the course's rule, the other
keys those of ``n2n data``; or ``fresh``: no fixed pairs, but new ones for each step) or ``clean``
(pictures that noise is added to). Tables ``[[before]]`` are of trainings before, one after the other:
their keys stand in for those of ``train``, and each begins with the weights of the one before it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from n2n_core.errors import ConfigError
from n2n_core.training.config import TrainConfig

TABLES = {"train": "dict", "data": "dict", "before": "list"}
COURSE = dict.fromkeys(("pairs", "validation", "size", "min_block", "short_side", "seed"), "int")
DATA = {"course": {"kind": "str", **COURSE, "held_out": "float", "fresh": "bool"}, "clean": {"kind": "str"}}
"""The kinds of data that photos can become, and the types of what can be said of each."""

TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "str": str,
    "dict": dict,
    "list": list,
}
EXPECTED = {
    "int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text", "list": "tables",
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """A recipe's tables; ``data`` is empty where the data are given as they are."""

    train: Mapping[str, Any]
    data: Mapping[str, Any]
    before: Sequence[Mapping[str, Any]] = ()


def load(path: Path) -> Recipe:
    """The recipe in ``path``.

    Raises:
        ConfigError: no such file, not TOML, a key that no recipe has, or a value of another type.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}), expected a recipe") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    _check(path, "table", tables, TABLES)
    train, data, before = tables.get("train", {}), tables.get("data", {}), tables.get("before", [])
    known = {one.name: str(one.type) for one in fields(TrainConfig) if one.name != "initial"}
    _check(path, "train", train, known)
    for number, run in enumerate(before):
        _check(path, "before", {f"before[{number}]": run}, {f"before[{number}]": "dict"})
        _check(path, f"before[{number}]", run, known)
    if data and data.get("kind") not in DATA:
        raise ConfigError(f"{path}: data.kind is {data.get('kind')!r}, expected one of: {', '.join(DATA)}")
    if data:
        _check(path, "data", data, DATA[data["kind"]])
    return Recipe(train, data, before)


def _check(path: Path, table: str, found: Mapping[str, Any], known: Mapping[str, str]) -> None:
    """Raise unless every key is ``known``, and its value of the type that is noted there."""
    for name, value in found.items():
        if name not in known:
            raise ConfigError(f"{path}: {table} has no {name!r}, expected one of: {', '.join(known)}")
        kind = known[name].partition(" ")[0].partition("[")[0]  # of "int | None", "dict[str, Any]"
        fits = isinstance(value, TYPES[kind]) and (kind == "bool") == isinstance(value, bool)
        if not fits:
            where = name if table in ("table", "train", "before") else f"{table}.{name}"
            raise ConfigError(f"{path}: {where} is {value!r}, expected {EXPECTED.get(kind, 'a table')}")
