"""Check weights files, and store them under their hash before they enter the catalogue."""

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

import n2n_core
from n2n_core.errors import N2NError, WeightsError
from n2n_core.files import atomic_path
from n2n_core.models import weights
from n2n_core.models.weights import Card
from service.storage.data_folder import DataFolder

Check = Callable[[Path], None]
"""A function that raises ``WeightsError`` unless the file can be served."""

MAX_DEPTH = 32
"""Deepest nesting of lists and objects in a file's metadata."""

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

    The architecture is rebuilt, values must be finite, and the network must turn a picture into a picture.

    Raises:
        WeightsError: a check fails.
    """
    import torch

    from n2n_core.inference.denoiser import Denoiser

    try:
        check_card(weights.read_card(path))
    except WeightsError:
        raise
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"its metadata cannot be used: {error}") from error
    network, _, _ = weights.load(path)
    if not all(bool(tensor.isfinite().all()) for tensor in network.state_dict().values()):
        raise WeightsError("it contains values that are not finite")
    picture = torch.full((1, 3, 33, 18), 0.5)
    try:
        output = Denoiser(network, "cpu")(picture)
    except (N2NError, RuntimeError) as error:
        raise WeightsError(f"it does not run on a colour picture: {error}") from error
    if output.shape != picture.shape or not bool(output.isfinite().all()):
        raise WeightsError("its output for a picture is not a picture")


def keep(source: Path, folder: DataFolder, check: Check = can_serve) -> Kept:
    """Check a weights file, and store it in the data folder under its hash.

    Raises:
        WeightsError: the file cannot be served, with the reason.
    """
    sha256 = weights.sha256(source)
    target = folder.weights(sha256)
    if target.exists():
        with suppress(OSError):
            os.utime(target)  # renew its age, so that ``orphans`` does not remove it before it gets a row
    else:
        with atomic_path(target) as temporary:
            temporary.write_bytes(source.read_bytes())
            if weights.sha256(temporary) != sha256:
                raise WeightsError(f"{source}: changed while it was read")
            try:
                check(temporary)
            except WeightsError as error:
                raise WeightsError(str(error).replace(str(temporary), source.name)) from error
        _sync_folder(target.parent)
    return Kept(target, sha256, target.stat().st_size, weights.read_card(target))


def check_card(card: Card) -> None:
    """Check that a card can be listed as JSON.

    Raises:
        ValueError: a value has another type than ``Card`` declares, is not finite or not Unicode, or is
            nested too deeply.
    """
    try:
        _CARD.validate_python(vars(card))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise ValueError(f"{where} is {fault['input']!r}: {fault['msg']}") from error
    _check_depth(list(vars(card).values()))
    json.dumps(vars(card), allow_nan=False, ensure_ascii=False).encode()


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
