"""Check weights files, and store them under their hash before they enter the catalogue."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

import n2n_core
from n2n_core.device import is_out_of_memory
from n2n_core.errors import N2NError, WeightsError
from n2n_core.files import atomic_path
from n2n_core.models import weights
from n2n_core.models.weights import Card
from service.processes.background import AbortedError, BackgroundProcess
from service.processes.child import ChildDiedError
from service.processes.watchdog import ChildLateError, ChildStoppedError
from service.storage import model_limits
from service.storage.data_folder import DataFolder

if TYPE_CHECKING:
    from n2n_core.models.torch_modules import Network

Check = Callable[[Path], None]
"""A function that raises ``WeightsError`` unless the file can be served."""

MAX_DEPTH = 32
"""Deepest nesting of lists and objects in a file's metadata."""

MAX_QUOTED = 100
"""Characters of a bad value that an error quotes."""

CHECK_MEMORY, CHECK_SECONDS = 2**30, 60.0
"""Bytes and seconds that the check of a model may take; our own models take a third of a GiB and a second."""

_CARD = TypeAdapter(Card)


@dataclass(frozen=True)
class Kept:
    """A checked weights file in the data folder."""

    path: Path
    sha256: str
    bytes: int
    card: Card


def can_serve(path: Path) -> None:
    """Check that a weights file can be served.

    It is within the limits, the architecture is rebuilt, values must be finite, the network must turn a
    picture into a picture, and the largest batches must fit in this process's memory.

    Raises:
        WeightsError: a check fails.
    """
    try:
        _check(path)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise WeightsError("running it takes more memory than a model may use") from error


def _check(path: Path) -> None:
    import torch

    from n2n_core.inference.denoiser import Denoiser

    network = _load(path)
    if not all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values()):
        raise WeightsError("it contains values that are not finite")
    picture = torch.full((1, 3, 33, 18), 0.5)
    try:
        denoiser = Denoiser(network, "cpu")
        output = denoiser(picture)
    except (N2NError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise WeightsError(f"it does not run on a colour picture: {error}") from error
    if output.shape != picture.shape or not bool(output.isfinite().all()):
        raise WeightsError("its output for a picture is not a picture")
    denoiser.rehearse()


def _load(path: Path) -> "Network":
    try:
        network, card = model_limits.load(path)
        check_card(card)
    except WeightsError:
        raise
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"its metadata cannot be used: {error}") from error
    return network


class CheckInProcess:
    """``can_serve`` in a process of its own, which a model can neither exhaust nor hold up.

    Args:
        process: has a limit of memory (``CHECK_MEMORY``) and of time (``CHECK_SECONDS``).
    """

    def __init__(self, process: BackgroundProcess) -> None:
        self.process = process

    def __call__(self, path: Path) -> None:
        """Check a file; see ``can_serve``.

        Raises:
            WeightsError: a check fails, takes too long, or makes its process end, twice.
            ChildDiedError: the process was ended or stopped by somebody else.
        """
        try:
            self._run(path)
        except (AbortedError, ChildStoppedError):
            raise
        except ChildDiedError as error:
            raise WeightsError(f"its check does not end well: {error}") from error

    def _run(self, path: Path) -> None:
        try:
            self.process.run(can_serve, path)
        except (AbortedError, ChildLateError):
            raise
        except ChildDiedError:  # perhaps not because of the model
            self.process.run(can_serve, path)


def keep(source: Path, folder: DataFolder, check: Check = can_serve) -> Kept:
    """Check a weights file, and store it in the data folder under its hash.

    A file that is there, but damaged, is stored again.

    Raises:
        WeightsError: the file cannot be served, with the reason.
    """
    content = weights.contents(source)
    sha256 = hashlib.sha256(content).hexdigest()
    target = folder.weights(sha256)
    if _is_intact(target, sha256):
        with suppress(OSError):
            os.utime(target)  # renew its age, so that ``orphans`` does not remove it before it gets a row
    else:
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
            try:
                check(temporary)
            except WeightsError as error:
                raise WeightsError(str(error).replace(str(temporary), source.name)) from error
        _sync_folder(target.parent)
    return Kept(target, sha256, len(content), weights.read_card(target))


def _is_intact(path: Path, sha256: str) -> bool:
    try:
        return weights.sha256(path) == sha256
    except OSError:
        return False


def check_card(card: Card) -> None:
    """Check that a card can be listed as JSON.

    Raises:
        WeightsError: it is too long.
        ValueError: a value has another type than ``Card`` declares, is not finite or not Unicode, or is
            nested too deeply.
    """
    try:
        _CARD.validate_python(vars(card))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(f"{where} is {_shortened(fault['input'])}: {fault['msg']}") from error
    _check_depth(list(vars(card).values()))
    json.dumps(vars(card), allow_nan=False, ensure_ascii=False).encode()


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


@cache
def commit() -> str | None:
    """Return the git commit of the running code, or None if it does not run from a checkout."""
    root = Path(n2n_core.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _check_depth(value: Any, left: int = MAX_DEPTH) -> None:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if children and not left:
        raise ValueError(f"values are nested in more than {MAX_DEPTH} levels")
    for child in children:
        _check_depth(child, left - 1)


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that new file names survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
