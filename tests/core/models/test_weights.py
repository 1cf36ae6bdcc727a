"""A weights file alone rebuilds its model, and the index checks the hash of every file."""

import json
import re
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Generator

from n2n_core.errors import ConfigError, UnknownModelError, WeightsError
from n2n_core.models import architectures, weights
from n2n_core.models.architectures import MODELS, Architecture, AutoEncoder, StridedAutoEncoder, UNet
from n2n_core.models.names import RESERVED
from n2n_core.models.weights import Card

SMALL = AutoEncoder((4, 4, 4, 3))
FILLED = Card(architectures.describe(SMALL), {"lr": 0.1}, {"name": "course"}, {"psnr": 25.5}, "MIT")


def write(path: Path, architecture: Architecture = SMALL, seed: int = 0, card: Card | None = None) -> Path:
    network = architecture.build(Generator().manual_seed(seed))
    weights.save(path, network, card or Card(architectures.describe(architecture)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A weights folder with two models, ``a`` and ``b``."""
    folder = tmp_path / "weights"
    for seed, name in enumerate("ab"):
        source = write(tmp_path / f"{name}-source", seed=seed, card=FILLED)
        weights.publish(source, name, f"task {name}", "MIT", folder)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_a_file_alone_rebuilds_its_model(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.safetensors", MODELS[name])
    original = MODELS[name].build(Generator().manual_seed(0)).eval()
    network, architecture, card = weights.load(path)
    images = torch.rand(1, 3, 16, 24, generator=Generator().manual_seed(1))
    assert architecture == MODELS[name]
    assert card.architecture == json.loads(json.dumps(architectures.describe(MODELS[name])))
    assert not network.training
    with torch.no_grad():
        assert network(images).equal(original(images))


def test_a_card_is_kept_whole(tmp_path: Path) -> None:
    state, card = weights.read(write(tmp_path / "a", card=FILLED))
    assert asdict(card) == json.loads(json.dumps(asdict(FILLED)))
    assert sorted(state) == sorted(SMALL.build().state_dict())


def test_weights_are_stored_as_float32(tmp_path: Path) -> None:
    network = StridedAutoEncoder(hidden=4).build().to(torch.float64)
    weights.save(tmp_path / "a", network, Card(architectures.describe(StridedAutoEncoder(hidden=4))))
    assert {tensor.dtype for tensor in weights.read(tmp_path / "a")[0].values()} == {torch.float32}


def test_models_are_published_and_found(folder: Path) -> None:
    index = weights.read_index(folder)
    assert sorted(index) == ["a", "b"]
    for name, entry in index.items():
        weights.verify(entry)
        assert entry == weights.find(name, folder)
        assert (entry.task, entry.sha256) == (f"task {name}", weights.sha256(entry.path))
        assert weights.load(entry.path)[2].licence == "MIT"
    assert sorted(path.name for path in folder.iterdir()) == ["a.safetensors", "b.safetensors", "index.json"]


def test_a_model_is_not_overwritten_unasked(folder: Path, tmp_path: Path) -> None:
    before = weights.find("a", folder)
    with pytest.raises(ConfigError, match=r"already has a model 'a', expected a new name"):
        weights.publish(write(tmp_path / "new", seed=7), "a", "new task", "CC0", folder)
    assert weights.find("a", folder) == before
    weights.verify(before)


def test_overwriting_keeps_the_task_unless_told_otherwise(folder: Path, tmp_path: Path) -> None:
    weights.publish(write(tmp_path / "new", seed=7), "a", "", "CC0", folder, overwrite=True)
    assert weights.find("a", folder).task == "task a"


def test_publishing_again_replaces_the_model(folder: Path, tmp_path: Path) -> None:
    before = weights.find("a", folder)
    weights.publish(write(tmp_path / "new", seed=7), "a", "new task", "CC0", folder, overwrite=True)
    after = weights.find("a", folder)
    assert after.task == "new task"
    assert after.sha256 != before.sha256
    weights.verify(after)
    weights.verify(weights.find("b", folder))


@pytest.mark.parametrize(
    "name",
    ["", "../x", "a/b", "/x", "..", ".hidden", "-x", "Upper", "a b", "a\n", "ä", "a" * 65, "a\\b", "a\0"],
)
def test_bad_names_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=re.escape(f"the model's name is {name!r}, expected a-z, 0-9")):
        weights.publish(folder / "a.safetensors", name, "t", "MIT", folder)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=f"name is '{name}', .* not reserved: 'auto' .* and 'default'"):
        weights.publish(folder / "a.safetensors", name, "t", "MIT", folder)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", [*RESERVED, "Upper", "a@2"])
def test_an_index_with_a_bad_name_is_refused(folder: Path, name: str) -> None:
    path = folder / weights.INDEX
    path.write_text(path.read_text().replace('"a": {', f'"{name}": {{'))
    with pytest.raises(WeightsError, match=rf"index.json: the model's name is '{name}', expected"):
        weights.read_index(folder)


def test_a_file_that_was_changed_is_refused_with_both_hashes(folder: Path) -> None:
    entry = weights.find("a", folder)
    entry.path.write_bytes(entry.path.read_bytes()[:-1] + b"!")
    with pytest.raises(
        WeightsError, match=f"sha256 is {weights.sha256(entry.path)}, expected {entry.sha256}"
    ):
        weights.verify(entry)
    entry.path.unlink()
    with pytest.raises(WeightsError, match=r"a.safetensors: no such weights file"):
        weights.verify(entry)


def test_an_unknown_model_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(UnknownModelError, match="unknown model 'c'; known models: a, b"):
        weights.find("c", folder)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 100, b"\xff" * 100, b"PK\x03\x04"])
def test_files_that_are_no_safetensors_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(WeightsError, match="a: not a readable safetensors file"):
        weights.load(tmp_path / "a")


def test_truncated_and_missing_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="a: not a readable safetensors file"):
        weights.load(path)
    with pytest.raises(WeightsError, match="b: no such weights file"):
        weights.load(tmp_path / "b")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "its metadata does not name an architecture"),
        ({"recipe": "{}"}, "its metadata does not name an architecture"),
        ({"architecture": "nope"}, "its metadata cannot be used"),
        ({"architecture": "1" * 5000}, "its metadata cannot be used"),
        ({"architecture": "[" * 100_000}, "its metadata cannot be used"),
        ({"architecture": '{"family": "autoencoder", "channels": [true, true]}'}, ""),
        ({"architecture": "{}"}, "unknown architecture None"),
        ({"architecture": '{"family": "vae"}'}, "unknown architecture 'vae'"),
        ({"architecture": '{"family": ["vae"]}'}, ""),
        ({"architecture": "null"}, ""),
        ({"architecture": '["autoencoder"]'}, ""),
        ({"architecture": '"autoencoder"'}, ""),
        ({"architecture": '{"family": "autoencoder", "channels": [1.5, 2, 2, 3]}'}, ""),
        ({"architecture": '{"family": "strided-autoencoder", "hidden": "many"}'}, ""),
        ({"architecture": '{"family": "strided-autoencoder", "hidden": 0}'}, "4 layers, the file 1 tensors"),
    ],
)  # fmt: skip
def test_metadata_that_rebuild_nothing_are_refused(
    tmp_path: Path, metadata: dict[str, str] | None, message: str
) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "a.safetensors", metadata=metadata)
    with pytest.raises(WeightsError, match=rf"a.safetensors: .*{message}"):
        weights.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("family", [SMALL, StridedAutoEncoder(hidden=4)])
@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, family: Architecture, change: str) -> None:
    state = {name: tensor.contiguous() for name, tensor in family.build().state_dict().items()}
    name = next(iter(state))
    if change == "missing":
        del state[name]
    else:
        state["extra" if change == "extra" else name] = torch.zeros(1)
    save_file(state, tmp_path / "a", metadata={"architecture": json.dumps(architectures.describe(family))})
    with pytest.raises(WeightsError, match="a: weights do not fit their architecture") as caught:
        weights.load(tmp_path / "a")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "architecture",
    [
        AutoEncoder((2**16, 2**16), skip=False), AutoEncoder((1,) * 10**5, skip=False),
        StridedAutoEncoder(hidden=2**16), UNet((2**16,), (1,)), UNet((1,), (10**9,)),
    ],
    ids=lambda architecture: type(architecture).__name__,
)  # fmt: skip
def test_no_memory_is_taken_for_what_a_file_does_not_hold(tmp_path: Path, architecture: Architecture) -> None:
    tensors = {str(index): torch.zeros(1) for index in range(9)}
    tensors["long"] = torch.zeros(2**16)  # as long as a layer is said to be wide
    path = tmp_path / "a.safetensors"
    save_file(tensors, path, {"architecture": json.dumps(architectures.describe(architecture))})
    with pytest.raises(WeightsError, match=r"the architecture has \d+ (values|layers), the file \d+"):
        weights.load(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"nope", b"\xff\xfe\x00", b"[]", b"{}", b'{"models": []}', b'{"models": {"a": 1}}',
     b'{"models": {"a": {"file": "a"}}}', b'{"models": {"a": {"file": 1, "sha256": "", "task": ""}}}'],
)  # fmt: skip
def test_what_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"index.json: not an index of weights"):
        weights.read_index(tmp_path)


def test_a_folder_without_an_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"index.json: no such file, expected the index"):
        weights.find("torch", tmp_path)


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd", "a/../../secret", "..", "../../etc/passwd"])
def test_an_index_points_at_nothing_outside_its_folder(folder: Path, file: str) -> None:
    entry: dict[str, Any] = {"file": file, "sha256": "0", "task": "t"}
    (folder / "index.json").write_text(json.dumps({"models": {"a": entry}}))
    with suppress(WeightsError):
        assert weights.find("a", folder).path.resolve().parent == folder.resolve()


def test_fingerprints_tell_values_shapes_and_types_apart() -> None:
    zeros = torch.zeros(2, 3)
    alike = [zeros, zeros.view(3, 2), zeros.int(), zeros + 1, torch.zeros(2, 4)]
    assert len({weights.fingerprint(tensor) for tensor in alike}) == len(alike)
    assert weights.fingerprint(zeros.t()) == weights.fingerprint(zeros.view(3, 2))
    assert weights.fingerprint(zeros, zeros + 1) != weights.fingerprint(zeros + 1, zeros)


def test_a_damaged_index_keeps_the_model_it_names(folder: Path) -> None:
    source = next(folder.glob("*.safetensors"))
    before = source.read_bytes()
    (folder / "index.json").write_text("{")
    with pytest.raises(WeightsError, match="not an index"):
        weights.publish(source, source.stem, "t", "other", folder)
    assert source.read_bytes() == before


def test_publishing_keeps_the_licence_unless_told_otherwise(folder: Path) -> None:
    source = next(folder.glob("*.safetensors"))
    own = weights.publish(source, "own", "t", "CC-BY-4.0", folder)
    kept = weights.publish(own.path, "kept", "t", None, folder)
    assert weights.read(kept.path)[1].licence == "CC-BY-4.0"


def test_an_engine_that_the_architecture_has_not_is_said() -> None:
    path = weights.find("unet").path
    with pytest.raises(ConfigError, match=r"^engine is 'scratch', expected 'torch' for .*unet\.safetensors$"):
        weights.load(path, "scratch")
