"""The names that a model may have."""

import re

from n2n_core.errors import ConfigError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

AUTO, DEFAULT = "auto", "default"
RESERVED = {
    AUTO: "the model that suits a picture's noise",
    DEFAULT: "the model for requests that name none",
}
"""Names that stand for another model, with what they stand for. A model of this name could not be reached."""


def check_name(name: str) -> None:
    """Check that a model may have this name.

    Raises:
        ConfigError: the name is reserved, or has other characters than ``NAME``.
    """
    if name in RESERVED:
        reserved = " and ".join(f"{word!r} ({meaning})" for word, meaning in RESERVED.items())
        raise ConfigError(f"the model's name is {name!r}, expected a name that is not reserved: {reserved}")
    if not NAME.fullmatch(name):
        raise ConfigError(f"the model's name is {name!r}, expected a-z, 0-9, '.', '_' and '-', at most 64")
