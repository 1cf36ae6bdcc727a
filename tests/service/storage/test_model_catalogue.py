"""The catalogue of models, on each database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from sqlalchemy import update
from torch import Generator

from n2n_core.errors import ConfigError, UnknownModelError, WeightsError
from n2n_core.inference.denoiser import Denoiser
from n2n_core.models import architectures, weights
from n2n_core.models.architectures import Architecture, AutoEncoder, StridedAutoEncoder
from n2n_core.models.names import RESERVED
from n2n_core.models.weights import Card
from service.exceptions import ConflictError, LeaseLostError
from service.jobs.records import Failure, Progress
from service.jobs.store import JobStore
from service.storage.data_folder import DataFolder
from service.storage.database import Database
from service.storage.model_catalogue import ModelCatalogue, Version, add_version
from service.storage.model_check import Check, Kept, keep
from service.storage.schema import versions

TINY = StridedAutoEncoder(hidden=2)


def write(path: Path, seed: int = 0, architecture: Architecture = TINY, fill: float | None = None) -> Path:
    network = architecture.build(Generator().manual_seed(seed))
    if fill is not None:
        next(iter(network.state_dict().values())).fill_(fill)
    weights.save(path, network, Card(architectures.describe(architecture), {"epochs": 1}, {}, {"psnr": 25.5}))
    return path


@pytest.fixture
def catalogue(database: Database, folder: DataFolder) -> ModelCatalogue:
    return ModelCatalogue(database, folder)


@pytest.fixture
def three(catalogue: ModelCatalogue, tmp_path: Path) -> list[Version]:
    """Versions 1 to 3 of the model ``mine``, the last one promoted."""
    return [catalogue.upload(write(tmp_path / "w", seed), "mine", "stars") for seed in range(3)]


def promoted(catalogue: ModelCatalogue) -> list[str]:
    return [f"{one.name}@{one.version}" for one in catalogue.list_served()]


def test_versions_are_numbered_and_the_newest_is_served(
    catalogue: ModelCatalogue, three: list[Version]
) -> None:
    assert [(one.version, one.source, one.task) for one in three] == [
        (number, "uploaded", "stars") for number in (1, 2, 3)
    ]
    assert promoted(catalogue) == ["mine@3"]
    assert [one.version for one in catalogue.list_versions("mine")] == [3, 2, 1]
    assert catalogue.resolve("mine") == catalogue.resolve("mine@3")
    assert three[0].metrics == {"psnr": 25.5}
    assert three[0].card["architecture"] == architectures.describe(TINY)
    assert three[0].lineage["n2n"]


def test_a_versions_file_is_named_by_its_hash_and_runs(
    catalogue: ModelCatalogue, three: list[Version]
) -> None:
    for version in three:
        path = catalogue.path(version)
        assert path.name == f"{version.sha256}.safetensors"
        assert (weights.sha256(path), path.stat().st_size) == (version.sha256, version.bytes)
    assert Denoiser.load(catalogue.path(three[0]), "cpu")(torch.rand(1, 3, 9, 9)).shape == (1, 3, 9, 9)


@pytest.mark.parametrize(
    "reference", ["yours", "mine@4", "mine@0", "mine@", "mine@x", "mine@²", "mine@9999999999"]
)
def test_an_unknown_reference_lists_the_models(
    catalogue: ModelCatalogue, three: list[Version], reference: str
) -> None:
    with pytest.raises(UnknownModelError, match=f"unknown model '{reference}'; known models: mine"):
        catalogue.resolve(reference)


def test_the_stamp_grows_with_whatever_is_served(catalogue: ModelCatalogue, three: list[Version]) -> None:
    stamps = [catalogue.stamp()]
    for change in (
        lambda: catalogue.promote("mine@1"),
        lambda: catalogue.roll_back("mine"),
        lambda: catalogue.delete("mine@2"),
        lambda: catalogue.delete("mine"),
    ):
        change()
        stamps.append(catalogue.stamp())
    assert stamps == sorted(set(stamps))
    assert catalogue.stamp() == stamps[-1]


def test_promotion_is_rolled_back_and_that_undone(catalogue: ModelCatalogue, three: list[Version]) -> None:
    assert catalogue.promote("mine@1").promoted
    assert promoted(catalogue) == ["mine@1"]
    assert catalogue.roll_back("mine").version == 3
    assert catalogue.roll_back("mine").version == 1
    catalogue.promote("mine@1")  # changes nothing, not what comes before either
    assert catalogue.roll_back("mine").version == 3


def test_there_may_be_nothing_to_roll_back_to(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    catalogue.upload(write(tmp_path / "w"), "mine")
    with pytest.raises(ConflictError, match="model 'mine' has no version to roll back to"):
        catalogue.roll_back("mine")


def test_an_upload_may_wait_for_its_promotion(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    for seed in range(2):
        catalogue.upload(write(tmp_path / "w", seed), "mine", promote=False)
    assert promoted(catalogue) == ["mine@1"]


def test_uploads_at_once_get_numbers_of_their_own(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"w{seed}", seed) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda path: catalogue.upload(path, "mine"), paths))
    assert sorted(one.version for one in made) == [1, 2, 3, 4, 5, 6]
    assert len(catalogue.list_served()) == 1


def test_a_deleted_version_takes_its_file_and_its_number_with_it(
    catalogue: ModelCatalogue, three: list[Version], tmp_path: Path
) -> None:
    with pytest.raises(ConflictError, match="mine@3 is promoted: promote another version first"):
        catalogue.delete("mine@3")
    catalogue.delete("mine@2")
    assert not catalogue.path(three[1]).exists()
    assert catalogue.path(three[0]).exists()
    with pytest.raises(ConflictError, match="no version to roll back to"):
        catalogue.roll_back("mine")
    catalogue.promote("mine@1")
    catalogue.delete("mine@3")
    assert catalogue.upload(write(tmp_path / "w", 9), "mine").version == 4
    catalogue.delete("mine")
    assert catalogue.list_served() == []
    assert list(catalogue.folder.models.iterdir()) == []


def test_a_file_stays_while_another_version_has_it(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    path = write(tmp_path / "w")
    first, second = catalogue.upload(path, "mine"), catalogue.upload(path, "yours")
    assert first.sha256 == second.sha256
    catalogue.delete("mine")
    assert catalogue.path(second).exists()


def test_what_a_job_starts_from_is_not_deleted(
    catalogue: ModelCatalogue, three: list[Version], store: JobStore, dataset: str
) -> None:
    job = store.create({}, "other", dataset, base_sha256=three[0].sha256)
    for reference in ("mine@1", "mine"):
        with pytest.raises(ConflictError, match=r"mine@1 is the base of 1 unfinished job\(s\)"):
            catalogue.delete(reference)
    store.cancel(job.id)
    catalogue.delete("mine@1")


def test_shipped_models_are_followed_and_never_deleted(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    shipped = tmp_path / "weights"
    weights.publish(write(tmp_path / "w", 0), "base", "noise", None, shipped)
    for _ in range(2):
        catalogue.follow(shipped)
    base = catalogue.resolve("base")
    assert (base.version, base.source, base.task) == (1, "shipped", "noise")
    with pytest.raises(ConflictError, match="base@1 is shipped with the service"):
        catalogue.delete("base")
    weights.publish(write(tmp_path / "w", 1), "base", "noise", None, shipped, overwrite=True)
    catalogue.follow(shipped)
    assert catalogue.resolve("base").version == 2


def test_a_shipped_model_does_not_replace_the_users_choice(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    shipped = tmp_path / "weights"
    weights.publish(write(tmp_path / "w", 0), "base", "noise", None, shipped)
    catalogue.follow(shipped)
    catalogue.upload(write(tmp_path / "w", 1), "base")
    weights.publish(write(tmp_path / "w", 2), "base", "noise", None, shipped, overwrite=True)
    catalogue.follow(shipped)
    assert promoted(catalogue) == ["base@2"]
    assert catalogue.resolve("base@3").source == "shipped"


def test_publishing_under_a_stale_fence_leaves_nothing(
    catalogue: ModelCatalogue, store: JobStore, dataset: str, tmp_path: Path
) -> None:
    store.create({}, "mine", dataset)
    old = store.claim("here", 1, 30)
    assert old
    store.lost(old, Failure("crashed", "it looked so"))
    kept, stamp = keep(write(tmp_path / "w"), catalogue.folder), catalogue.stamp()

    def publish(fence: int) -> None:
        with catalogue.database.write() as connection:
            version = add_version(connection, "mine", kept, "trained", "", {"job": old.id})
            store.succeed(connection, old.id, fence, Progress(), version.version, version.sha256)

    with pytest.raises(LeaseLostError):
        publish(old.fence)
    new = store.claim("here", 1, 30)
    assert new
    store.running(new.id, new.fence, "cpu")
    with pytest.raises(LeaseLostError):
        publish(old.fence)
    assert (catalogue.list_served(), catalogue.stamp()) == ([], stamp)
    publish(new.fence)
    assert promoted(catalogue) == ["mine@1"]
    assert store.get(new.id).result_version == 1


def test_a_file_that_was_deleted_meanwhile_is_not_entered(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    kept = keep(write(tmp_path / "w"), catalogue.folder)
    kept.path.unlink()
    with (
        pytest.raises(WeightsError, match="was deleted together with"),
        catalogue.database.write() as connection,
    ):
        add_version(connection, "mine", kept, "trained", "", {})
    assert catalogue.list_served() == []


@pytest.mark.parametrize(("deletions", "enters"), [(1, True), (4, True), (5, False)])
def test_an_upload_that_lost_its_file_to_a_deletion_is_done_again(
    catalogue: ModelCatalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deletions: int, enters: bool
) -> None:
    left = iter(range(deletions))

    def robbed(source: Path, folder: DataFolder, check: Check) -> Kept:
        kept = keep(source, folder, check)
        if next(left, None) is not None:
            kept.path.unlink()
        return kept

    monkeypatch.setattr("service.storage.model_catalogue.keep", robbed)
    with nullcontext() if enters else pytest.raises(WeightsError, match="was deleted together with"):
        assert catalogue.upload(write(tmp_path / "w"), "mine").id == "mine"
    assert [catalogue.path(version).exists() for version in catalogue.list_served()] == [True] * enters


@pytest.mark.parametrize("name", ["", "Mine", "a/b", "mine@2", "../x", "x" * 65])
def test_bad_names_are_refused(catalogue: ModelCatalogue, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="expected a-z, 0-9"):
        catalogue.upload(write(tmp_path / "w"), name)


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused(catalogue: ModelCatalogue, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"name is '{name}', .* not reserved: 'auto' .* and 'default'"):
        catalogue.upload(write(tmp_path / "w"), name)


def test_a_weights_folder_with_a_reserved_name_is_not_followed(
    catalogue: ModelCatalogue, tmp_path: Path
) -> None:
    weights.publish(write(tmp_path / "w"), "mine", "", None, tmp_path / "folder")
    index = tmp_path / "folder" / weights.INDEX
    index.write_text(index.read_text().replace('"mine"', '"auto"'))
    with pytest.raises(WeightsError, match="name is 'auto', expected a name that is not reserved"):
        catalogue.follow(tmp_path / "folder")
    assert catalogue.list_served() == []


def text(path: Path) -> Path:
    path.write_text("no weights")
    return path


def claiming(path: Path, **values: object) -> Path:
    """A file whose architecture is not that of its tensors."""
    network = TINY.build()
    weights.save(path, network, Card(architectures.describe(TINY) | values))
    return path


BAD: dict[str, Callable[[Path], Path]] = {
    "not a readable safetensors file": text,
    "values that are not finite": lambda path: write(path, fill=float("nan")),
    "does not run on a colour picture": lambda path: write(
        path, architecture=AutoEncoder((4, 1), skip=False)
    ),
    r"the architecture has \d{10} values, the file \d+\)": lambda path: claiming(path, hidden=2**14),
    "do not fit their architecture": lambda path: claiming(path, hidden=3),
    "sizes=.1000000000, 1000000000, 2, 2": lambda path: claiming(path, hidden=10**9),
    "unknown architecture 'virus'": lambda path: claiming(path, family="virus"),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_file_that_cannot_be_served_is_refused_and_not_kept(
    folder: DataFolder, tmp_path: Path, reason: str
) -> None:
    with pytest.raises(WeightsError, match=reason) as caught:
        keep(BAD[reason](tmp_path / "w"), folder)
    assert str(tmp_path) not in str(caught.value)
    assert list(folder.models.iterdir()) == []


def test_a_damaged_file_is_stored_again_with_its_content(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    source = write(tmp_path / "w")
    version = catalogue.upload(source, "mine")
    catalogue.path(version).write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="sha256 is"):
        catalogue.intact(version)
    catalogue.upload(source, "yours")
    assert catalogue.intact(version) == source.read_bytes()


def test_a_damaged_file_of_the_folder_spoils_no_other(
    catalogue: ModelCatalogue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for seed, name in enumerate(("bad", "good")):
        weights.publish(write(tmp_path / "w", seed), name, "", None, tmp_path / "folder")
    (tmp_path / "folder" / "bad.safetensors").write_bytes(b"damaged")
    catalogue.follow(tmp_path / "folder")
    assert promoted(catalogue) == ["good@1"]
    assert "model 'bad'" in caplog.text


def test_a_description_from_before_there_was_a_limit_is_not_listed(
    catalogue: ModelCatalogue, three: list[Version]
) -> None:
    long = update(versions).where(versions.c.version == 2).values(card={"licence": "x" * 2**16})
    with catalogue.database.write() as connection:
        connection.execute(long)
    first, second, third = reversed(catalogue.list_versions("mine"))
    assert first.metrics == third.metrics == {"psnr": 25.5}
    assert (second.metrics, second.card["recipe"]) == ({}, {})
    assert "too long" in second.card["licence"]


@pytest.mark.parametrize("entry", weights.read_index().values(), ids=lambda entry: entry.id)
def test_every_shipped_model_is_accepted(folder: DataFolder, entry: weights.Entry) -> None:
    assert keep(entry.path, folder).sha256 == entry.sha256
