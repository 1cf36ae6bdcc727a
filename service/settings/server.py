"""The service's settings, from ``N2N_*`` environment variables."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_serializer, field_validator
from pydantic_settings import NoDecode

from n2n_core.device import MAX_THREADS
from n2n_core.errors import ConfigError
from n2n_core.image import MAX_PAGES, MAX_PIXELS, PIXEL_LIMIT, Compression
from n2n_core.models.weights import SHIPPED
from service.settings.jobs import PREFIX, JobSettings

MAX_SECONDS = 30 * 86400
"""Longest time in seconds that timers accept."""

BYTES_A_PIXEL = 36
"""Bytes of a waiting picture per pixel: decoded, padded and output, each with three floats."""

ORIGIN = re.compile(r"\*|https?://[^\s/?#@,]+")


def default_waiting_pixels() -> int:
    """Return the pixels that fit into an eighth of the memory, at least one picture of the largest size."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(MAX_PIXELS, memory // 8 // BYTES_A_PIXEL)


class Settings(JobSettings):
    """Settings of the service. With the defaults it serves the shipped models on this machine."""

    weights: Annotated[Path, Field(description="folder of models, with its index.json")] = SHIPPED
    default_model: Annotated[str, Field(description="model for requests that name none")] = "torch"
    device: Annotated[str, Field(description="auto, cpu, cuda, or several: cuda:0,cuda:1")] = "auto"
    threads: Annotated[
        int | None, Field(ge=1, le=MAX_THREADS, description="CPU threads of one inference")
    ] = None
    max_bytes: Annotated[int, Field(ge=1, description="largest request body")] = 64 * 2**20
    max_dataset_bytes: Annotated[
        int, Field(ge=1, description="largest upload of a dataset, and what is made of it")
    ] = 8 * 2**30
    dataset_root: Annotated[
        Path | None, Field(description="folder whose files may be made datasets by their path; none if unset")
    ] = None
    max_pixels: Annotated[
        int, Field(ge=1, le=PIXEL_LIMIT, description="largest image, width times height")
    ] = MAX_PIXELS
    max_waiting_pixels: Annotated[
        int, Field(ge=1, description="pixels of all pictures that wait for a device")
    ] = default_waiting_pixels()
    max_reading_bytes: Annotated[
        int, Field(ge=1, description="bytes of all request bodies that are being read")
    ] = 256 * 2**20
    max_connections: Annotated[int, Field(ge=1, description="clients that are connected at once")] = 1000
    max_header_bytes: Annotated[
        int, Field(ge=1024, description="of a request's head, or of its trailers")
    ] = 2**15
    max_parts: Annotated[int, Field(ge=1, description="fields and files of a form")] = 1000
    max_dataset_parts: Annotated[int, Field(ge=1, description="fields and files of a dataset's form")] = (
        100_000
    )
    max_name_length: Annotated[
        int, Field(ge=1, description="characters of a file's name, in a form or an archive, with its folders")
    ] = 512
    max_frames: Annotated[
        int, Field(ge=1, description="pages of one file, to be denoised or of a dataset")
    ] = MAX_PAGES
    max_archive_entries: Annotated[int, Field(ge=1, description="files and folders in an archive")] = 200_000
    max_archive_ratio: Annotated[
        int, Field(ge=1, description="unpacked bytes for each byte of an archive")
    ] = 200
    read_timeout: Annotated[
        float, Field(gt=0, le=MAX_SECONDS, description="seconds that a client may keep us waiting")
    ] = 20
    min_rate: Annotated[
        int, Field(ge=1, description="bytes a second that a client has to send, and to take")
    ] = 1000
    timeout: Annotated[float, Field(gt=0, description="seconds that a request may take, reading aside")] = 60
    total_timeout: Annotated[
        float, Field(gt=0, le=MAX_SECONDS, description="seconds that a request may take, reading included")
    ] = 3600
    grace: Annotated[float, Field(ge=0, description="seconds to finish requests in after SIGTERM")] = 8
    png_compression: Annotated[Compression, Field(description="of PNG answers: fast or small")] = "fast"
    log_format: Annotated[
        Literal["text", "json"], Field(description="the log's lines: for people or for programs")
    ] = "text"
    insecure: Annotated[bool, Field(description="listen beyond this machine though there is no API key")] = (
        False
    )
    key_rate: Annotated[int | None, Field(ge=1, description="requests a minute of each API key")] = None
    key_concurrency: Annotated[int | None, Field(ge=1, description="requests of each API key at a time")] = (
        None
    )
    cors_origins: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="origins whose pages may use the service from a browser, with commas; * for all"),
    ] = ()

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, text: object) -> object:
        return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else text

    @field_serializer("cors_origins")
    def _joined(self, origins: tuple[str, ...]) -> str:
        """Serialise as it is read, for a trainer's environment."""
        return ",".join(origins)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin, expected as https://example.org, or *")
        return origins

    def dataset_limits(self) -> dict[str, int]:
        """Return the arguments of ``n2n_core.datasets.importing.archives.Limits``."""
        return {
            "members": self.max_archive_entries,
            "total_bytes": self.max_dataset_bytes,
            "ratio": self.max_archive_ratio,
            "name_length": self.max_name_length,
            "frames": self.max_frames,
            "pixels": self.max_pixels,
        }


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises:
        ConfigError: a variable has a bad value; the message names the first one.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(map(str, first["loc"])).upper()
        raise ConfigError(f"{name} is {first['input']!r}: {first['msg']}") from error
