"""Recipe files in TOML: what data a model was trained on, and how, so that one command trains it again.

The table ``train`` has the fields of ``TrainConfig``. The table ``data`` says how photos become
training data: its ``kind`` is ``course`` (pairs by the course's rule) or ``clean`` (pictures to which
noise is added). Tables ``[[before]]`` describe earlier runs, one after the other: their fields replace
those of ``train``, and each run starts from the weights of the one before.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from n2n_core.errors import ConfigError
from n2n_core.training.config import TrainConfig, shared_fields
from n2n_core.training.fields import Validated

TABLES = {"train": dict, "data": dict, "before": list}
Table = TypeVar("Table", bound=BaseModel)


class CleanData(Validated):
    """Photos as they are. Training adds the noise."""


class CourseData(Validated):
    """Pairs by the course's rule. Fields that are None have the defaults of ``n2n data``."""

    pairs: Annotated[int | None, Field(ge=1)] = None
    validation: Annotated[int | None, Field(ge=1)] = None
    size: int | None = None
    min_block: int | None = None
    short_side: int | None = None
    held_out: float | None = None
    seed: int | None = None
    fresh: bool = False
    """Draw new training pairs for each step instead of ``pairs`` fixed ones."""

    def given(self, *names: str) -> dict[str, Any]:
        """Return the fields called ``names`` that are not None."""
        return self.model_dump(include=set(names), exclude_none=True)


DATA: dict[str, type[CourseData | CleanData]] = {"course": CourseData, "clean": CleanData}
"""Kinds of data that photos can become."""


@dataclass(frozen=True)
class Recipe:
    """The content of a recipe file.

    Args:
        train: the run that gives the model.
        data: how photos become training data; None if the data are used as they are.
        before: the runs before, the first one first.
    """

    train: TrainConfig = TrainConfig()  # noqa: RUF009 (it is frozen)
    data: CourseData | CleanData | None = None
    before: Sequence[TrainConfig] = ()


def load(path: Path) -> Recipe:
    """Load the recipe in ``path``.

    Raises:
        ConfigError: the file cannot be read or is not TOML, or a field is unknown or has a bad value.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}), expected a recipe") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML ({error})") from error
    try:
        return _parse(tables)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", error.field) from error


def _parse(tables: Mapping[str, Any]) -> Recipe:
    for name, value in tables.items():
        if name not in TABLES:
            raise ConfigError(f"unknown table {name!r}, expected one of: {', '.join(TABLES)}")
        if not isinstance(value, TABLES[name]):
            raise ConfigError(f"{name} is {value!r}, expected {'a table' if name != 'before' else 'tables'}")
    train = tables.get("train", {})
    before = [
        _config(f"before[{number}]", run, base=train) for number, run in enumerate(tables.get("before", []))
    ]
    return Recipe(_config("train", train), _data(tables.get("data", {})), before)


def _config(table: str, values: Any, base: Mapping[str, Any] | None = None) -> TrainConfig:
    """Return the recipe in a ``table``, whose ``values`` replace those of ``base``."""
    if not isinstance(values, dict):
        raise ConfigError(f"{table} is {values!r}, expected a table")
    for name in values.keys() - shared_fields().keys():
        raise ConfigError(f"{table}: unknown field {name!r}, expected one of: {', '.join(shared_fields())}")
    return _validated(table, TrainConfig, {**(base or {}), **values})


def _data(values: Mapping[str, Any]) -> CourseData | CleanData | None:
    if not values:
        return None
    fields = dict(values)
    if (kind := fields.pop("kind", None)) not in DATA:
        raise ConfigError(f"data: kind is {kind!r}, expected one of: {', '.join(DATA)}")
    return _validated("data", DATA[kind], fields)


def _validated(table: str, model: type[Table], values: Mapping[str, Any]) -> Table:
    try:
        return model(**values)
    except ConfigError as error:
        raise ConfigError(f"{table}: {error}", error.field) from error
