"""Validates a request for training and creates the job."""

import re
from pathlib import Path

from n2n_core.datasets.checks.report import CheckReport
from n2n_core.errors import ConfigError, UnknownModelError
from n2n_core.models import architectures, weights
from n2n_core.models.names import RESERVED, check_name
from service.api.dependencies import State
from service.api.train_jobs.schemas import TrainJobRequest
from service.exceptions import UnknownDatasetError
from service.http.errors import ProblemError
from service.http.problem import FieldError
from service.http.problem_types import (
    BAD_NAME,
    BAD_RECIPE,
    DATASET_REFUSED,
    NO_SUCH_BASE,
    NO_SUCH_DATASET,
    ProblemType,
)
from service.jobs.records import Job, Json
from service.jobs.spec import recipe
from service.storage.dataset_store import DatasetRecord, DatasetStore
from service.storage.model_catalogue import ModelCatalogue, Version

NAME_LENGTH = 64
NO_RECIPE = {"dataset", "validation_dataset", "name", "base", "force"}


def submit(state: State, request: TrainJobRequest, job_id: str | None, owner: str) -> Job:
    """Create the requested job for its owner, with ``job_id`` as its ID if given.

    Raises:
        ProblemError: a field is wrong; names the field.
        ConflictError: the dataset is not ready.
        JobQuotaError: the owner has too many unfinished jobs.
    """
    dataset = _dataset(state.datasets, "dataset", request.dataset, request.force)
    other = request.validation_dataset
    if other == dataset.id:
        detail = f"validation_dataset is {other}, expected a dataset other than the training dataset"
        raise _refusal("validation_dataset", BAD_RECIPE, detail)
    validation = other and _dataset(state.datasets, "validation_dataset", other, request.force).id
    base = _base(state.catalogue, request)
    spec = _spec(request, base)
    if spec["corruption"] is not None and dataset.kind != "clean":
        detail = f"corruption is {spec['corruption']}, expected none: the dataset's kind is {dataset.kind!r}"
        raise _refusal("corruption", BAD_RECIPE, detail)
    name = _name(state.settings.weights, request, dataset)
    sha256 = base.sha256 if base else None
    return state.jobs.create(
        spec,
        name,
        dataset.id,
        job_id=job_id,
        validation_dataset_id=validation,
        base_sha256=sha256,
        owner=owner,
    )


def _refusal(field: str, type: ProblemType, detail: str) -> ProblemError:
    return ProblemError(type, detail, [FieldError(pointer=f"body/{field}", detail=detail)])


def _dataset(datasets: DatasetStore, field: str, dataset_id: str, force: bool) -> DatasetRecord:
    """Return the dataset, or raise a problem if its checks do not allow training."""
    try:
        dataset = datasets.get(dataset_id)
    except UnknownDatasetError as error:
        raise _refusal(field, NO_SUCH_DATASET, str(error)) from error
    blocking = CheckReport.from_dict(dataset.report).blocks(force) if dataset.report else []
    if blocking:
        forced = all(check.verdict == "warning" for check in blocking)
        names = ", ".join(check.name for check in blocking)
        detail = f"dataset {dataset.id} failed its checks: {names}" + (
            "; set force to train on it anyway" if forced else ""
        )
        errors = [
            FieldError(pointer=f"body/{field}", detail=f"{c.name} ({c.verdict}): {c.message}; {c.advice}")
            for c in blocking
        ]
        raise ProblemError(DATASET_REFUSED, detail, errors)
    return dataset


def _base(catalogue: ModelCatalogue, request: TrainJobRequest) -> Version | None:
    if request.base is None:
        return None
    try:
        return catalogue.resolve(request.base)
    except UnknownModelError as error:
        raise _refusal("base", NO_SUCH_BASE, str(error)) from error


def _spec(request: TrainJobRequest, base: Version | None) -> Json:
    """Return the recipe. The architecture is that of the base; a request may repeat it."""
    spec: Json = request.model_dump(exclude=NO_RECIPE)
    if base:
        own = _architecture(base)
        if "model" in request.model_fields_set and spec["model"] != own:
            detail = f"model is {spec['model']!r}, expected {own!r} as base {request.base!r}"
            raise _refusal("model", BAD_RECIPE, detail)
        spec["model"] = own
    try:
        recipe(spec)
    except ConfigError as error:
        raise _refusal(error.field or "", BAD_RECIPE, str(error)) from error
    return spec


def _architecture(base: Version) -> str:
    architecture = architectures.restore(base.card["architecture"])
    for name, known in architectures.MODELS.items():
        if known == architecture:
            return name
    known_names = ", ".join(architectures.MODELS)
    detail = f"base is {base.name}@{base.version}: {architecture}, expected one of: {known_names}"
    raise _refusal("base", BAD_RECIPE, detail)


def _name(shipped: Path, request: TrainJobRequest, dataset: DatasetRecord) -> str:
    """Return the model's name: the requested one, or one derived from the dataset's name."""
    taken = RESERVED.keys() | set(weights.read_index(shipped))
    if request.name is None:
        return derive_name(dataset.name, taken)
    try:
        check_name(request.name)
    except ConfigError as error:
        raise _refusal("name", BAD_NAME, str(error)) from error
    if request.name in taken:
        raise _refusal(
            "name", BAD_NAME, f"name is {request.name!r}, the name of a shipped model: choose another"
        )
    return request.name


def derive_name(text: str, taken: frozenset[str] | set[str]) -> str:
    """Derive a model's name from ``text`` that is not in ``taken``.

    >>> derive_name("Röntgen 2024 (left)", set()), derive_name("torch", {"torch"}), derive_name("光", set())
    ('r-ntgen-2024-left', 'torch-trained', 'trained')
    """
    name = re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")[: NAME_LENGTH - len("-trained")]
    while not name or name in taken:
        name = f"{name}-trained".strip("-")
    return name
