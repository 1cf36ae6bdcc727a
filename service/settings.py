"""The service's settings, from ``N2N_*`` environment variables."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from n2n_core.device import MAX_THREADS
from n2n_core.errors import ConfigError
from n2n_core.image import MAX_PIXELS, PIXEL_LIMIT, Compression
from n2n_core.weights import SHIPPED

PREFIX = "N2N_"


class Settings(BaseSettings):
    """Every setting has a default that serves the shipped models on this machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    weights: Annotated[Path, Field(description="folder of models, with its index.json")] = SHIPPED
    default_model: Annotated[str, Field(description="model for requests that name none")] = "torch"
    device: Annotated[str, Field(description="auto, cpu or cuda")] = "auto"
    threads: Annotated[
        int | None, Field(ge=1, le=MAX_THREADS, description="CPU threads of one inference")
    ] = None
    max_bytes: Annotated[int, Field(ge=1, description="largest request body")] = 64 * 2**20
    max_pixels: Annotated[
        int, Field(ge=1, le=PIXEL_LIMIT, description="largest image, width times height")
    ] = MAX_PIXELS
    png_compression: Annotated[Compression, Field(description="of PNG answers: fast or small")] = "fast"
    log_format: Annotated[
        Literal["text", "json"], Field(description="the log's lines: for people or for programs")
    ] = "text"


def read_settings() -> Settings:
    """The settings of this environment.

    Raises:
        ConfigError: names the first variable that has a bad value.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(map(str, first["loc"])).upper()
        raise ConfigError(f"{name} is {first['input']!r}: {first['msg']}") from error
