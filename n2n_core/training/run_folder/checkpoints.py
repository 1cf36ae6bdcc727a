"""Checkpoints: all that a run's next step depends on, in one file that contains no code."""

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
"""Entries that older checkpoints lack, with their values in that case."""


def save(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state`` atomically."""
    buffer = BytesIO()
    torch.save(state, buffer)  # not to the file: torch does not say why writing failed
    path = folder / FILE
    with storing(path), atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load(folder: Path) -> dict[str, Any]:
    """Load the checkpoint of the run in ``folder`` without executing code from it.

    Raises:
        ConfigError: there is none.
        WeightsError: it is damaged.
    """
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
