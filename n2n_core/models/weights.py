"""Weights: one safetensors file per model, and an index of a folder's models.

The metadata of a file hold everything that is needed to rebuild and judge the model: the architecture's
configuration, the training recipe, a description of the data, metrics and a licence note. ``index.json``
beside the files has the file, SHA-256 and task of each model. Nothing is pickled.

torch is imported only to read and write tensors; the index, hashes and cards do not need it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from n2n_core.errors import ConfigError, UnknownModelError, WeightsError
from n2n_core.files import atomic_path
from n2n_core.models import architectures
from n2n_core.models.names import NAME, check_name

if TYPE_CHECKING:
    from torch import Tensor

    from n2n_core.models.architectures import Architecture
    from n2n_core.models.torch_modules import Network

INDEX = "index.json"
FILE = re.compile(NAME.pattern + r"\.safetensors")
_HERE = Path(__file__).resolve().parents[1]
SHIPPED = next(
    (folder for folder in (_HERE / "shipped_weights", _HERE.parent / "weights") if folder.is_dir()),
    _HERE.parent / "weights",
)
"""Folder of the shipped weights: inside an installed package, or beside the package in a checkout."""


FOLDER_VARIABLE = "N2N_WEIGHTS"
"""Environment variable for another folder, for the commands and the service."""


@dataclass(frozen=True)
class Card:
    """Metadata of a model, as stored in its weights file."""

    architecture: dict[str, Any]
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float | None] = field(default_factory=dict)
    licence: str = ""

    @property
    def is_blind(self) -> bool:
        """True if the model was trained on noise of any level, so that a contrast stretch can help."""
        match self.recipe:
            case {"corruption": {"name": "blind"}}:
                return True
        return False


def save(path: Path, network: Network, card: Card) -> None:
    """Write the weights and the card to a file, completely or not at all."""
    from safetensors.torch import save as to_safetensors

    state = {
        name: tensor.detach().float().cpu().contiguous() for name, tensor in network.state_dict().items()
    }
    metadata = {key: json.dumps(value, sort_keys=True) for key, value in asdict(card).items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_safetensors(state, metadata))  # so that the file has default permissions


def read(path: Path, expected: str | None = None) -> tuple[dict[str, Tensor], Card]:
    """Read the tensors and the card of a weights file.

    The file is read once, so what is loaded is what was hashed.

    Args:
        expected: the SHA-256 that the file must have, if that is known.

    Raises:
        WeightsError: the file cannot be read, or has another hash.
    """
    return parse(contents(path, expected), path)


def contents(path: Path, expected: str | None = None) -> bytes:
    """Return the bytes of a weights file.

    Raises:
        WeightsError: the file cannot be read, or does not have the expected SHA-256.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such weights file") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if expected is not None:
        _check_hash(path, hashlib.sha256(content).hexdigest(), expected)
    return content


def parse(content: bytes, path: Path) -> tuple[dict[str, Tensor], Card]:
    """Return the tensors and the card in the bytes of a weights file; ``path`` is for errors.

    Raises:
        WeightsError: they are no weights file.
    """
    from safetensors.torch import load as tensors_of

    try:
        state = tensors_of(content)  # which also checks the header
        header = json.loads(content[8 : header_end(content)])
    except Exception as error:
        raise _unreadable(path, error) from error
    return state, _card(path, header.get("__metadata__"))


def header_end(content: bytes) -> int:
    """Return where the header ends, by the first eight bytes of a weights file."""
    return 8 + int.from_bytes(content[:8], "little")


def read_card(path: Path) -> Card:
    """Read the card of a weights file, and only the file's header."""
    with _opened(path, "np") as file:
        return _card(path, file.metadata())


def _card(path: Path, metadata: dict[str, str] | None) -> Card:
    metadata = metadata or {}
    if "architecture" not in metadata:
        raise WeightsError(f"{path}: its metadata does not name an architecture")
    try:
        return Card(**{key: json.loads(metadata[key]) for key in asdict(Card({})) if key in metadata})
    except (ValueError, RecursionError) as error:  # also integers of thousands of digits
        raise WeightsError(f"{path}: its metadata cannot be used: {error}") from error


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    """Open a safetensors file, and turn errors in the block into ``WeightsError``."""
    try:
        with safe_open(path, framework) as file:
            yield file
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such weights file") from error
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # what safetensors raises is its own to choose
        raise _unreadable(path, error) from error


def _unreadable(path: Path, reason: Exception) -> WeightsError:
    return WeightsError(f"{path}: not a readable safetensors file ({reason})")


def load(path: Path, engine: str = "auto", expected: str | None = None) -> tuple[Network, Architecture, Card]:
    """Rebuild a model on ``engine``, in inference mode, from its file alone.

    Args:
        expected: the SHA-256 that the file must have, if that is known.

    Raises:
        WeightsError: the file is not a weights file of n2n, or not the expected one, or its weights do not
            fit its architecture.
        ConfigError: the architecture cannot be built on ``engine``.
    """
    state, card = read(path, expected)
    network, architecture = rebuild(state, card, path, engine)
    return network, architecture, card


def rebuild(
    state: dict[str, Tensor], card: Card, path: Path, engine: str = "auto"
) -> tuple[Network, Architecture]:
    """Rebuild a model from its tensors and card; see ``load`` for the errors, which name ``path``."""
    with _fitting(path):
        architecture = architectures.restore(card.architecture)
        known = architectures.engines(architecture)
    if engine in architectures.ENGINES and engine not in known:
        raise ConfigError(f"engine is {engine!r}, expected {known[0]!r} for {path}")
    with _fitting(path):
        _check_size(architecture, engine, state)
        network = architecture.build(engine=engine)
        network.load_state_dict(state)
    return network.eval(), architecture


@contextmanager
def _fitting(path: Path) -> Iterator[None]:
    """Turn errors in the block into a ``WeightsError``: weights and architecture do not fit."""
    try:
        yield
    except (WeightsError, MemoryError):
        raise
    except Exception as error:  # among them what torch raises on values that no network can have
        reason = " ".join(str(error).split())
        raise WeightsError(f"{path}: weights do not fit their architecture ({reason})") from error


def _check_size(architecture: Architecture, engine: str, state: dict[str, Tensor]) -> None:
    """Raise ``ConfigError`` if the architecture has more weights than the file, before allocating them."""
    import torch

    if architecture.layers > len(state):
        raise ConfigError(f"the architecture has {architecture.layers} layers, the file {len(state)} tensors")
    with torch.device("meta"):  # tensors without values
        values = count_parameters(architecture.build(engine=engine))
    held = sum(tensor.numel() for tensor in state.values())
    if values > held:
        raise ConfigError(f"the architecture has {values} values, the file {held}")


def sha256(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Entry:
    """One model of the index."""

    id: str
    path: Path
    sha256: str
    task: str


def read_index(folder: Path = SHIPPED) -> dict[str, Entry]:
    """Read the models of ``folder``, by id.

    Raises:
        WeightsError: there is no index, or it is not valid.
    """
    path = folder / INDEX
    try:
        models = json.loads(path.read_text(encoding="utf-8"))["models"]
        for name in models:
            check_name(name)
        return {
            name: Entry(name, _inside(folder, value["file"]), value["sha256"], value["task"])
            for name, value in models.items()
        }
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file, expected the index of a weights folder") from error
    except ConfigError as error:
        raise WeightsError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not an index of weights ({error!r})") from error


def _inside(folder: Path, name: str) -> Path:
    if not FILE.fullmatch(name):
        raise ValueError(f"file is {name!r}, expected a plain name that ends in .safetensors")
    return folder / name


def find(name: str, folder: Path = SHIPPED) -> Entry:
    """Return the entry of model ``name``.

    Raises:
        UnknownModelError: there is none; the message lists the known ones.
    """
    index = read_index(folder)
    if name not in index:
        raise UnknownModelError(name, index)
    return index[name]


def verify(entry: Entry) -> None:
    """Raise ``WeightsError`` unless the file has the SHA-256 of the index."""
    if not entry.path.is_file():
        raise WeightsError(f"{entry.path}: no such weights file")
    _check_hash(entry.path, sha256(entry.path), entry.sha256)


def _check_hash(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise WeightsError(f"{path}: sha256 is {found}, expected {expected}")


def publish(
    source: Path, name: str, task: str, licence: str | None, folder: Path = SHIPPED, overwrite: bool = False
) -> Entry:
    """Copy a weights file into ``folder`` as model ``name``, and add it to the index.

    ``licence`` replaces the file's own note, unless it is None. An empty ``task`` keeps the task of the
    model that is overwritten.

    Raises:
        ConfigError: no model may have this name (``check_name``), or there is a model of this name and
            ``overwrite`` is false.
    """
    check_name(name)
    network, _, card = load(source)
    index = read_index(folder) if (folder / INDEX).exists() else {}
    if name in index and not overwrite:
        raise ConfigError(f"{folder} already has a model {name!r}, expected a new name, or to replace it")
    task = task or (index[name].task if name in index else "")
    target = folder / f"{name}.safetensors"
    save(target, network, card if licence is None else replace(card, licence=licence))
    index[name] = Entry(name, target, sha256(target), task)
    models = {
        key: {"file": entry.path.name, "sha256": entry.sha256, "task": entry.task}
        for key, entry in sorted(index.items())
    }
    with atomic_path(folder / INDEX) as temporary:
        temporary.write_text(json.dumps({"models": models}, indent=2) + "\n")
    return index[name]


def count_parameters(network: Network) -> int:
    """Return the number of trained values."""
    return sum(tensor.numel() for tensor in network.state_dict().values())


def count_values(path: Path) -> int:
    """Return the number of trained values in a file, and read only its header."""
    with _opened(path, "np") as file:
        return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118


def fingerprint(*tensors: Tensor) -> str:
    """Return a SHA-256 of shapes, types and values, to detect changed data."""
    import torch

    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
