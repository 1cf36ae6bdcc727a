"""The recipe in a job's row."""

from n2n_core.errors import ConfigError
from n2n_core.training.config import TrainConfig
from service.jobs.records import Json


def recipe(spec: Json) -> TrainConfig:
    """Return the recipe in ``spec``.

    Raises:
        ConfigError: an unknown field, a bad value, or ``initial``, which would name a file of the server.
    """
    if "initial" in spec:
        raise ConfigError("the job's spec gives a file as initial, expected a base model", "initial")
    return TrainConfig(**spec)
