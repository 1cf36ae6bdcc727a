"""What a job's row says of its training."""

from n2n_core.errors import ConfigError
from n2n_core.training.config import TrainConfig
from service.jobs.records import Json


def recipe(spec: Json) -> TrainConfig:
    """The training's configuration, or ``ConfigError`` with the name of what is wrong."""
    if "initial" in spec:
        raise ConfigError("the job's spec names a file as initial, expected a base")
    try:
        return TrainConfig(**spec)
    except TypeError as error:
        raise ConfigError(f"the job's spec does not fit: {error}") from error
