"""What the service's JSON answers look like."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from n2n_core.datasets.checks.report import Verdict

Kind = Literal["pairs", "bursts", "single", "clean"]

MAX_JSON = 2**16
"""Bytes of a request; to look for unknown fields in a large one would keep everybody waiting."""


class Model(BaseModel):
    """A version of a model, and where it comes from."""

    id: str = Field(
        description="what `?model=` takes: the bare name of the promoted version, `name@2` of another",
        examples=["scratch"],
    )
    name: str
    version: int
    promoted: bool = Field(description="whether the bare name stands for it")
    source: Literal["shipped", "trained", "uploaded"]
    created_at: datetime
    lineage: dict[str, Any] = Field(
        description="where it comes from: `job`, `dataset` and `base_sha256` if it was trained here,"
        " the `commit` and version of the code"
    )
    bytes: int = Field(description="size of its weights file")
    task: str = Field(description="what it is for")
    default: bool = Field(description="whether it is used when a request names none")
    parameters: int = Field(description="number of trained values", examples=[134203])
    sha256: str = Field(description="of its weights file")
    architecture: dict[str, Any] = Field(description="its configuration")
    recipe: dict[str, Any] = Field(description="how it was trained")
    data: dict[str, Any] = Field(description="what it was trained on")
    metrics: dict[str, float | None] = Field(
        description="PSNR in dB on held-out photos, before and after; null if infinite"
    )
    licence: str


class ModelList(BaseModel):
    """All models, each in its promoted version."""

    models: list[Model]


class ModelVersions(BaseModel):
    """All versions of a model, the newest first."""

    versions: list[Model]


class DatasetRequest(BaseModel):
    """What the pictures are, and how to read them."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="what is sent: how many shots of each scene, noisy or clean")
    name: str = Field(description="for people", min_length=1, max_length=200)
    rule: str | None = Field(
        default=None,
        max_length=200,
        pattern=r"\{scene\}.*\{shot\}|\{shot\}.*\{scene\}",  # a regular expression may take forever
        description="how file names tell scene and shot: a template as `{scene}_{shot}`",
    )
    pages: Literal["shots", "scenes"] = Field(default="shots", description="what the pages of a TIFF are")
    data_range: float | None = Field(default=None, gt=0, description="the value of white")
    corruption: dict[str, Any] | None = Field(
        default=None, description="for clean pictures: the noise that training adds, in units of [0, 1]"
    )


class DatasetFolder(DatasetRequest):
    """Files that the server has already."""

    path: str = Field(description="file or folder under `N2N_DATASET_ROOT`")


class DatasetCheck(BaseModel):
    """One property of the pictures."""

    name: str
    verdict: Verdict
    figure: float | None = Field(description="what was measured")
    unit: str
    message: str = Field(description="what it means")
    advice: str = Field(description="what to do about it; empty if fine")


class DatasetReport(BaseModel):
    """The checks before training."""

    fingerprint: str = Field(description="hash of the data that were checked")
    scenes: int = Field(description="how many were looked at")
    verdict: Verdict = Field(description="the worst of all checks")
    checks: list[DatasetCheck]


class DatasetCounts(BaseModel):
    """Of the whole dataset."""

    scenes: int
    pictures: int
    sizes: list[tuple[int, int, int]] = Field(description="height, width, and scenes of this size")


class DatasetStatistics(BaseModel):
    """Of a sample; values are nominally in [0, 1]."""

    low: float
    high: float
    mean: float
    clipped: float = Field(description="share of the values that are 0 or 1")
    sigma: float = Field(description="standard deviation of the noise")
    sampled: int = Field(description="scenes that were looked at")


class Dataset(BaseModel):
    """Pictures to train on."""

    id: str
    name: str
    kind: Kind
    state: Literal["receiving", "checking", "ready", "refused"] = Field(
        description="`ready` to train on, or `refused` by its checks"
    )
    created_at: datetime
    updated_at: datetime
    bytes: int = Field(description="on the disk")
    counts: DatasetCounts | None
    statistics: DatasetStatistics | None
    report: DatasetReport | None
    options: dict[str, Any] = Field(description="how it was read, and its fingerprint")


class DatasetList(BaseModel):
    """A page of datasets, the newest first."""

    datasets: list[Dataset]
    next_page_token: str | None = Field(description="for the next page; null on the last")


class Health(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The models are loaded and warm."""

    status: Literal["ready"] = "ready"
    models: list[str] | None = Field(default=None, description="null where keys are asked for, see /models")
    device: str | None = Field(default=None, description="null where keys are asked for")
