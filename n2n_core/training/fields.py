"""Models with validated fields, whose errors quote the bad value and say what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from n2n_core.errors import ConfigError

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a string", dict: "a table"}
"""Types of fields, in words."""


@dataclass(frozen=True)
class OneOf:
    """Annotation of a ``str`` field that has one of a few values."""

    choices: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.choices))


class Validated(BaseModel):
    """A frozen model whose bad values raise ``ConfigError``.

    Types are checked, not converted, except that a whole number may stand for a float. Floats are finite.
    Unknown fields are errors, so a typo is not silently ignored.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _translate(type(self), error.errors(include_url=False)[0]) from None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with the fields in ``update`` changed, validated like a new model."""
        return type(self)(**self.model_dump() | dict(update or {}))


def description(field: FieldInfo) -> str:
    """Return a field's description in one line."""
    return " ".join((field.description or "").split())


def choices(field: FieldInfo) -> tuple[str, ...] | None:
    """Return the values that a field may have, or None if they are not enumerated."""
    return next((one.choices for one in field.metadata if isinstance(one, OneOf)), None)


def plain_type(field: FieldInfo) -> type:
    """Return a field's type without ``None`` and type arguments, such as ``int`` for ``int | None``."""
    annotation: Any = field.annotation
    if _is_union(annotation):
        annotation = get_args(annotation)[0]
    plain: type = get_origin(annotation) or annotation
    return plain


def expected(field: FieldInfo) -> str:
    """Return what a field expects, in words.

    >>> expected(FieldInfo(annotation=int | None, ge=1))
    'a whole number of at least 1, or none'
    >>> expected(FieldInfo(annotation=float, gt=0, le=1e38))
    'a number above 0, at most 1e+38'
    """
    if known := choices(field):
        return f"one of: {', '.join(known)}"
    bounds = ", ".join(text for one in field.metadata if (text := _bound(one)))
    kind = KINDS[plain_type(field)] + (f" {bounds}" if bounds else "")
    return f"{kind}, or none" if _is_union(field.annotation) else kind


def _bound(constraint: Any) -> str:
    match constraint:
        case Gt():
            return f"above {constraint.gt}"
        case Ge():
            return f"of at least {constraint.ge}"
        case Lt():
            return f"below {constraint.lt}"
        case Le():
            return f"at most {constraint.le}"
    return ""


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType)


def _translate(model: type[BaseModel], fault: ErrorDetails) -> ConfigError:
    """Return pydantic's error as ours."""
    name = str(fault["loc"][0]) if fault["loc"] else None
    cause = fault.get("ctx", {}).get("error")
    if isinstance(cause, ConfigError):  # raised by one of the model's own validators
        return ConfigError(str(cause), cause.field or name)
    if name not in model.model_fields:
        return ConfigError(f"unknown field {name!r}, expected one of: {', '.join(model.model_fields)}", name)
    got, wanted = fault["input"], expected(model.model_fields[name])
    return ConfigError(f"{name} is {got!r}, expected {wanted}", name)
