"""A request for a training, and what must hold before it becomes a job."""

import re

from n2n_core.datasets.checks.report import Report
from n2n_core.errors import ConfigError, UnknownModelError
from n2n_core.models import architectures, weights
from service.api.dependencies import State
from service.api.train_jobs.schemas import TrainJobRequest
from service.exceptions import UnknownDatasetError
from service.http.errors import ProblemError
from service.http.problem import FieldError
from service.jobs.records import Job, Json
from service.jobs.spec import recipe
from service.storage.dataset_store import Dataset
from service.storage.model_catalogue import Version
from service.storage.model_check import check_name

RESERVED = frozenset({"default"})
"""Names that stand for other models."""

NAME_LENGTH = 64
NO_RECIPE = {"dataset", "validation_dataset", "name", "base", "force"}


def submit(state: State, request: TrainJobRequest, job_id: str | None) -> Job:
    """The job that is asked for, queued, under ``job_id`` if one is given.

    Raises:
        ProblemError: with the field that is wrong.
        ConflictError: the dataset is not ready.
    """
    dataset = _dataset(state, "dataset", request.dataset, request.force)
    other = request.validation_dataset
    if other == dataset.id:
        detail = f"validation_dataset is {other}, expected another one than dataset"
        raise _refusal("validation_dataset", "bad_recipe", detail)
    validation = other and _dataset(state, "validation_dataset", other, request.force).id
    base = _base(state, request)
    spec = _spec(request, base)
    if spec["corruption"] is not None and dataset.kind != "clean":
        detail = f"corruption is {spec['corruption']}, expected none: the dataset's kind is {dataset.kind!r}"
        raise _refusal("corruption", "bad_recipe", detail)
    name = _name(state, request, dataset)
    sha256 = base.sha256 if base else None
    return state.jobs.create(
        spec, name, dataset.id, job_id=job_id, validation_dataset_id=validation, base_sha256=sha256
    )


def _refusal(field: str, code: str, detail: str) -> ProblemError:
    return ProblemError(422, code, detail, [FieldError(pointer=f"body/{field}", detail=detail)])


def _dataset(state: State, field: str, dataset_id: str, force: bool) -> Dataset:
    """The dataset, unless its checks keep it from being trained on."""
    try:
        dataset = state.datasets.get(dataset_id)
    except UnknownDatasetError as error:
        raise _refusal(field, "unknown_dataset", str(error)) from error
    blocking = Report.from_dict(dataset.report).blocks(force) if dataset.report else []
    if blocking:
        forced = all(check.verdict == "warning" for check in blocking)
        names = ", ".join(check.name for check in blocking)
        detail = f"dataset {dataset.id} did not pass: {names}" + (
            "; force trains on it anyway" if forced else ""
        )
        errors = [
            FieldError(pointer=f"body/{field}", detail=f"{c.name} ({c.verdict}): {c.message}; {c.advice}")
            for c in blocking
        ]
        raise ProblemError(422, "dataset_refused", detail, errors)
    return dataset


def _base(state: State, request: TrainJobRequest) -> Version | None:
    if request.base is None:
        return None
    try:
        return state.catalogue.resolve(request.base)
    except UnknownModelError as error:
        raise _refusal("base", "unknown_model", str(error)) from error


def _spec(request: TrainJobRequest, base: Version | None) -> Json:
    """The recipe; the architecture is the base's, which a request may name too."""
    spec: Json = request.model_dump(exclude=NO_RECIPE)
    if base:
        own = _architecture(base)
        if "model" in request.model_fields_set and spec["model"] != own:
            detail = f"model is {spec['model']!r}, expected {own!r} as base {request.base!r}"
            raise _refusal("model", "bad_recipe", detail)
        spec["model"] = own
    try:
        recipe(spec)
    except ConfigError as error:
        first = str(error).partition(" ")[0]  # its name, but where it is of a noise
        raise _refusal(first if first in spec else "corruption", "bad_recipe", str(error)) from error
    return spec


def _architecture(base: Version) -> str:
    architecture = architectures.restore(base.card["architecture"])
    for name, known in architectures.MODELS.items():
        if known == architecture:
            return name
    detail = (
        f"base is {base.name}@{base.version}: {architecture}, which is none of those that are trained here"
    )
    raise _refusal("base", "bad_recipe", detail)


def _name(state: State, request: TrainJobRequest, dataset: Dataset) -> str:
    """The model's name: what is asked for, or after the dataset."""
    taken = RESERVED | set(weights.read_index(state.settings.weights))
    if request.name is None:
        return derive_name(dataset.name, taken)
    try:
        check_name(request.name)
    except ConfigError as error:
        raise _refusal("name", "bad_name", str(error)) from error
    if request.name in taken:
        raise _refusal(
            "name", "bad_name", f"name is {request.name!r}, which a shipped model has: choose another"
        )
    return request.name


def derive_name(text: str, taken: frozenset[str] | set[str]) -> str:
    """A model's name after ``text``, none of ``taken``.

    >>> derive_name("Röntgen 2024 (left)", set()), derive_name("torch", {"torch"}), derive_name("光", set())
    ('r-ntgen-2024-left', 'torch-trained', 'trained')
    """
    name = re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")[: NAME_LENGTH - len("-trained")]
    while not name or name in taken:
        name = f"{name}-trained".strip("-")
    return name
