"""Schemas of JSON requests and responses."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from n2n_core.datasets.checks.report import CheckName, Shown, Verdict

Kind = Literal["pairs", "bursts", "single", "clean"]

MAX_JSON = 2**16
"""Largest JSON request in bytes. Validating a larger one would block other requests."""


class Model(BaseModel):
    """A version of a model, and its origin."""

    id: str = Field(
        description="value for `?model=`: the bare name for the promoted version, otherwise `name@2`",
        examples=["scratch"],
    )
    name: str
    version: int
    promoted: bool = Field(description="whether the bare name stands for this version")
    source: Literal["shipped", "trained", "uploaded"]
    created_at: datetime
    lineage: dict[str, Any] = Field(
        description="origin: `job`, `dataset` and `base_sha256` if it was trained here,"
        " and the `commit` and version of the code"
    )
    bytes: int = Field(description="size of its weights file")
    task: str = Field(description="purpose of the model")
    default: bool = Field(description="whether it is used when a request names none")
    parameters: int | None = Field(
        description="number of trained parameters; null if its file is damaged", examples=[134203]
    )
    unavailable: str | None = Field(
        description="why it cannot be served now; null if it can, as far as that was tried"
    )
    sha256: str = Field(description="SHA-256 of its weights file")
    architecture: dict[str, Any] = Field(description="its configuration")
    recipe: dict[str, Any] = Field(description="how it was trained")
    data: dict[str, Any] = Field(description="what it was trained on")
    metrics: dict[str, float | None] = Field(
        description="PSNR in dB on held-out pictures, before and after; null if infinite"
    )
    licence: str


class ModelList(BaseModel):
    """The promoted version of every model."""

    models: list[Model]


class ModelVersions(BaseModel):
    """Versions of a model, newest first."""

    versions: list[Model]


class DatasetRequest(BaseModel):
    """Kind of pictures, and how to read them."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="kind of pictures: how many shots of each scene, noisy or clean")
    name: str = Field(description="name for display", min_length=1, max_length=200)
    rule: str | None = Field(
        default=None,
        max_length=200,
        pattern=r"\{scene\}.*\{shot\}|\{shot\}.*\{scene\}",  # no regular expressions, which can take forever
        description="template of the file names, such as `{scene}_{shot}`",
    )
    pages: Literal["shots", "scenes"] = Field(default="shots", description="meaning of the pages of a TIFF")
    data_range: float | None = Field(default=None, gt=0, description="the value of white")
    corruption: dict[str, Any] | None = Field(
        default=None, description="for clean pictures: the noise that training adds, for values in [0, 1]"
    )


class DatasetFolder(DatasetRequest):
    """Files that are already on the server."""

    path: str = Field(description="file or folder under `N2N_DATASET_ROOT`")


class DatasetCheck(BaseModel):
    """Result of one check."""

    name: CheckName
    verdict: Verdict
    figure: float | None = Field(description="measured value")
    unit: str
    message: str = Field(description="what it means")
    advice: str = Field(description="what to do; empty if the verdict is fine")


class DatasetCell(BaseModel):
    """Where a crop is on `report.png`, in pixels."""

    scene: int = Field(description="number of the scene, from 0")
    shown: Shown = Field(
        description="the scene's first shot, its second, or their amplified difference, where grey means none"
    )
    x: int = Field(description="left edge")
    y: int = Field(description="upper edge")
    width: int
    height: int


class DatasetReport(BaseModel):
    """Results of the checks before training."""

    fingerprint: str = Field(description="hash of the checked data")
    scenes: int = Field(description="number of checked scenes")
    verdict: Verdict = Field(description="the worst of all checks")
    checks: list[DatasetCheck]
    cells: list[DatasetCell] = Field(
        default=[],
        description="where the crops are on `report.png`, row by row; empty if an older version drew it",
    )


class DatasetCounts(BaseModel):
    """Counts over the whole dataset."""

    scenes: int
    pictures: int
    sizes: list[tuple[int, int, int]] = Field(description="height, width, and number of scenes of this size")


class DatasetStatistics(BaseModel):
    """Statistics of a sample of the scenes; pixel values are nominally in [0, 1]."""

    low: float
    high: float
    mean: float
    clipped: float = Field(description="fraction of the values that are 0 or 1")
    sigma: float = Field(description="standard deviation of the noise")
    sampled: int = Field(description="number of scenes in the sample")


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
    bytes: int = Field(description="size on disk")
    counts: DatasetCounts | None
    statistics: DatasetStatistics | None
    report: DatasetReport | None
    options: dict[str, Any] = Field(description="options of the import, and the fingerprint")


class DatasetList(BaseModel):
    """A page of datasets, newest first."""

    datasets: list[Dataset]
    next_page_token: str | None = Field(description="token of the next page; null on the last one")


class Health(BaseModel):
    """The process runs."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The models are loaded and warm."""

    status: Literal["ready"] = "ready"
    models: list[str] | None = Field(
        default=None, description="null if the service requires keys; see /models"
    )
    unavailable: dict[str, str] | None = Field(
        default=None,
        description="why models cannot be served, by name; of these, `models` lists those with a previous"
        " version that is served. Null if the service requires keys",
    )
    device: str | None = Field(default=None, description="null if the service requires keys")
