"""Checkpoints: all that a run's next step depends on, in one file, without any code in it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from n2n_core.errors import ConfigError, WeightsError
from n2n_core.files import atomic_path, storing

FILE = "checkpoint.pt"
NEEDED = {"config", "data", "learner", "epoch", "batch", "order", "generator", "seconds", "metrics"}
ADDED: dict[str, Any] = {"best": None, "initial": None, "validated": -1, "average": {}}
"""What older checkpoints lack, and what it is then."""


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state``, wholly or not at all."""
    buffer = BytesIO()
    torch.save(state, buffer)  # not to the disk: torch does not say why it cannot write there
    path = folder / FILE
    with storing(path), atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load(folder: Path) -> dict[str, Any]:
    """The checkpoint of the run in ``folder``; no code in it is executed."""
    path = folder / FILE
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not NEEDED <= state.keys() <= NEEDED | ADDED.keys():
            raise ValueError(f"holds {sorted(state)}")
        return ADDED | state
    except FileNotFoundError as error:
        raise ConfigError(f"{folder}: holds no {FILE}, expected a run to resume") from error
    except Exception as error:  # damaged files make torch.load raise nearly anything
        raise WeightsError(f"{path}: not a readable checkpoint") from error
