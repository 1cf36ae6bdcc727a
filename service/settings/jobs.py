"""Settings of training jobs. Importing this is fast, so that a trainer sends its first heartbeat early."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from n2n_core.device import MAX_THREADS
from service.processes.limits import default_memory, default_threads

PREFIX = "N2N_"
BEATS = 3
"""Heartbeats per lease, so that one or two may be late."""


MIN_MEMORY = 2**28
"""Bytes with which a process that uses torch can do something."""


class JobSettings(BaseSettings):
    """Settings of training jobs: storage, and the resources of trainers."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    data: Annotated[Path, Field(description="folder of jobs, datasets and trained models")] = Path("n2n-data")
    database: Annotated[
        str | None,
        Field(description="URL of the database: sqlite:///FILE or postgresql://USER@HOST/NAME", repr=False),
    ] = None
    train_concurrency: Annotated[
        int,
        Field(
            ge=0, description="jobs that train at the same time on this host; 0 leaves them to other hosts"
        ),
    ] = 1
    train_threads: Annotated[int, Field(ge=1, le=MAX_THREADS, description="CPU threads of a trainer")] = (
        default_threads()
    )
    train_memory: Annotated[
        int,
        Field(ge=MIN_MEMORY, description="bytes of memory for a trainer, and for all imports of datasets"),
    ] = default_memory()
    train_heartbeat: Annotated[float, Field(gt=0, description="seconds between a trainer's heartbeats")] = 5
    train_lease: Annotated[
        float,
        Field(
            description="seconds without a heartbeat until a trainer counts as dead; at least 3 heartbeats"
        ),
    ] = 30

    train_slice: Annotated[
        float, Field(gt=0, description="seconds that a job trains while a job of another API key waits")
    ] = 3600

    @field_validator("train_lease")
    @classmethod
    def _outlasts_heartbeats(cls, lease: float, info: ValidationInfo) -> float:
        least = BEATS * info.data.get("train_heartbeat", 0)
        if not least <= lease < float("inf"):
            raise ValueError(f"expected at least {BEATS} heartbeats ({least} seconds)")
        return lease

    @property
    def database_url(self) -> str:
        """URL of the database; by default a file in the data folder."""
        return self.database or f"sqlite:///{self.data.absolute() / 'n2n.db'}"
