"""A model that is quick to load, of many kinds."""

from pathlib import Path

from torch import Generator

from n2n_core.models import architectures, weights
from n2n_core.models.weights import Card

SMALL = architectures.AutoEncoder((4, 3), skip=False)


def saved(folder: Path, seed: int) -> Path:
    """Its weights, drawn by ``seed``, as a file."""
    path = folder / f"{seed}.safetensors"
    weights.save(path, SMALL.build(Generator().manual_seed(seed)), Card(architectures.describe(SMALL)))
    return path
