"""The service's settings, from ``N2N_*`` environment variables."""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_serializer, field_validator
from pydantic_settings import NoDecode

from n2n_core.device import MAX_THREADS
from n2n_core.errors import ConfigError
from n2n_core.image import MAX_PAGES, MAX_PIXELS, PIXEL_LIMIT, Compression
from n2n_core.models.weights import SHIPPED
from service.processes.limits import cores
from service.settings.jobs import MIN_MEMORY, PREFIX, JobSettings

MAX_SECONDS = 30 * 86400
"""Longest time in seconds that timers accept."""

BYTES_A_PIXEL = 36
"""Memory per pixel of a waiting picture: decoded, padded and output, each with three floats."""

ORIGIN = re.compile(r"\*|https?://[^\s/?#@,]+")


def default_waiting_pixels() -> int:
    """Return how many pixels may wait: those that an eighth of the memory holds, at least one picture."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(MAX_PIXELS, memory // 8 // BYTES_A_PIXEL)


def default_imports() -> int:
    """Return how many datasets to import at once: two, so that one does not block all, or up to four."""
    return min(4, max(2, cores() // 4))


class Settings(JobSettings):
    """Settings of the service. With the defaults it serves the shipped models on this machine."""

    weights: Annotated[Path, Field(description="folder of models, with its index.json")] = SHIPPED
    default_model: Annotated[str, Field(description="model for requests that do not name one")] = "torch"
    device: Annotated[str, Field(description="auto, cpu, cuda, or several devices: cuda:0,cuda:1")] = "auto"
    threads: Annotated[
        int | None,
        Field(ge=1, le=MAX_THREADS, description="CPU threads of a large batch; one per core if unset"),
    ] = None
    max_bytes: Annotated[int, Field(ge=1, description="largest request body in bytes")] = 64 * 2**20
    max_dataset_bytes: Annotated[
        int, Field(ge=1, description="largest upload of a dataset in bytes; also its largest size, unpacked")
    ] = 8 * 2**30
    dataset_root: Annotated[
        Path | None,
        Field(description="folder whose files can be imported as datasets by their path; none if unset"),
    ] = None
    max_pixels: Annotated[
        int, Field(ge=1, le=PIXEL_LIMIT, description="largest image in pixels, width times height")
    ] = MAX_PIXELS
    max_waiting_pixels: Annotated[
        int, Field(ge=1, description="pixels of all images that wait for a device")
    ] = default_waiting_pixels()
    max_body_bytes: Annotated[
        int, Field(ge=1, description="bytes of all request bodies in memory, until they are answered")
    ] = 256 * 2**20
    max_connections: Annotated[int, Field(ge=1, description="open connections")] = 1000
    max_header_bytes: Annotated[
        int, Field(ge=1024, description="bytes of the request line and headers, or of trailers")
    ] = 2**15
    max_parts: Annotated[int, Field(ge=1, description="fields and files of a form")] = 1000
    max_dataset_parts: Annotated[int, Field(ge=1, description="fields and files of a dataset's form")] = (
        100_000
    )
    max_name_length: Annotated[
        int,
        Field(ge=1, description="characters of a file name in a form or an archive, including its folders"),
    ] = 512
    max_frames: Annotated[int, Field(ge=1, description="pages of one file, to denoise or in a dataset")] = (
        MAX_PAGES
    )
    max_archive_entries: Annotated[int, Field(ge=1, description="files and folders in an archive")] = 200_000
    max_archive_ratio: Annotated[int, Field(ge=1, description="unpacked bytes per byte of an archive")] = 200
    read_timeout: Annotated[
        float, Field(gt=0, le=MAX_SECONDS, description="seconds to wait for data from a client")
    ] = 20
    min_rate: Annotated[
        int, Field(ge=1, description="bytes per second that a client must send, and accept")
    ] = 1000
    timeout: Annotated[float, Field(gt=0, description="seconds for one image, without reading the body")] = 60
    total_timeout: Annotated[
        float, Field(gt=0, le=MAX_SECONDS, description="seconds for one request, including reading the body")
    ] = 3600
    grace: Annotated[float, Field(ge=0, description="seconds to finish requests after SIGTERM")] = 8
    png_compression: Annotated[Compression, Field(description="compression of PNG output: fast or small")] = (
        "fast"
    )
    log_format: Annotated[
        Literal["text", "json"],
        Field(description="format of the log: text, or json with one object per line"),
    ] = "text"
    insecure: Annotated[bool, Field(description="listen beyond this machine without any API key")] = False
    require_keys: Annotated[
        bool,
        Field(description="require an API key of each request; on by itself once a key was made"),
    ] = False
    allowed_hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(
            description="names and addresses that the header Host may have, separated by commas; * for all."
            " If unset: on a loopback address those of this machine, else all"
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(
            description="addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are"
            " believed, separated by commas"
        ),
    ] = ()
    key_rate: Annotated[int | None, Field(ge=1, description="requests per minute of each API key")] = None
    key_concurrency: Annotated[int | None, Field(ge=1, description="concurrent requests of each API key")] = (
        None
    )
    key_jobs: Annotated[
        int,
        Field(ge=1, description="unfinished training jobs of each API key, and of all requests without one"),
    ] = 100
    key_dataset_bytes: Annotated[
        int,
        Field(ge=1, description="bytes of datasets of each API key, and of all requests without one"),
    ] = 64 * 2**30
    imports: Annotated[
        int, Field(ge=1, description="datasets that are imported at the same time, which share the memory")
    ] = default_imports()
    import_timeout: Annotated[
        float, Field(gt=0, le=MAX_SECONDS, description="seconds for importing a dataset, once it was sent")
    ] = 1800
    cors_origins: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(
            description="origins whose pages may use the service in browsers, separated by commas; * for all"
        ),
    ] = ()

    @field_validator("cors_origins", "allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, text: object) -> object:
        return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else text

    @field_serializer("cors_origins", "allowed_hosts", "trusted_proxies")
    def _joined(self, origins: tuple[str, ...]) -> str:
        """Return the text that the setting is read from, for a trainer's environment."""
        return ",".join(origins)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin, expected one like https://example.org, or *")
        return origins

    @property
    def import_memory(self) -> int:
        """Bytes of memory for one import: all of them together have as much as a trainer."""
        return max(MIN_MEMORY, self.train_memory // self.imports)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy)  # a ValueError says what is wrong with it
        return proxies

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
        ConfigError: a variable has a bad value. The message names the first such variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "_".join(map(str, first["loc"])).upper()
        raise ConfigError(f"{name} is {first['input']!r}: {first['msg']}") from error
