"""Command-line options made from the fields of ``TrainConfig``."""

from __future__ import annotations

import argparse
from argparse import ArgumentTypeError
from typing import Any

from pydantic.fields import FieldInfo

from n2n_core.training.config import shared_fields
from n2n_core.training.fields import choices, description, plain_type


def add_recipe(command: argparse.ArgumentParser) -> list[str]:
    """Add an option for each field that recipes share, and return the fields' names.

    An option that is not given is left out of the parsed namespace.
    """
    for name, field in shared_fields().items():
        command.add_argument(
            f"--{name.replace('_', '-')}",
            default=argparse.SUPPRESS,
            help=description(field).replace("`", "").replace("%", "%%"),
            **_parsing(field),
        )
    return list(shared_fields())


def _parsing(field: FieldInfo) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` that say how the option is parsed."""
    kind = plain_type(field)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if kind is dict:
        return {"type": corruption, "metavar": "NOISE[,KEY=VALUE]"}
    return {"type": kind, "choices": choices(field)}


def corruption(text: str) -> dict[str, Any]:
    """Parse an option such as ``gaussian,sigma=0.1`` into the table that recipes and datasets hold.

    >>> corruption("point-sampling,block=8")
    {'name': 'point-sampling', 'block': 8}
    """
    name, *parameters = text.split(",")
    pairs = (parameter.partition("=") for parameter in parameters)
    try:
        values = {key: int(value) if value.isdecimal() else float(value) for key, _, value in pairs}
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is not a corruption, expected one like gaussian,sigma=0.1"
        ) from error
    return {"name": name} | values
