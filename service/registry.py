"""The models that this process serves."""

from dataclasses import dataclass
from pathlib import Path

import torch

from n2n_core import weights
from n2n_core.errors import ConfigError, UnknownModelError
from n2n_core.inference import Denoiser
from n2n_core.weights import Card, Entry


@dataclass(frozen=True)
class ServedModel:
    """A model in memory, and what is known of it."""

    entry: Entry
    card: Card
    denoiser: Denoiser
    parameters: int


class Registry:
    """All models of a weights folder, loaded, their hashes checked.

    Raises:
        WeightsError: a file is missing, damaged, or not the one that the index names.
        ConfigError: the default model is not among them.
    """

    def __init__(self, folder: Path, default: str, device: str) -> None:
        self.models = {name: _load(entry, device) for name, entry in weights.read_index(folder).items()}
        if default not in self.models:
            known = ", ".join(sorted(self.models))
            raise ConfigError(f"the default model is {default!r}, expected one of: {known}")
        self.default = default
        self.ready = False

    def get(self, name: str | None) -> ServedModel:
        """The model called ``name``, or the default one."""
        name = self.default if name is None else name
        if name not in self.models:
            raise UnknownModelError(name, self.models)
        return self.models[name]

    def warm_up(self) -> None:
        """Run every model once, so that the first request does not pay for it."""
        for model in self.models.values():
            model.denoiser(torch.zeros(1, 3, model.denoiser.window, model.denoiser.window))
        self.ready = True


def _load(entry: Entry, device: str) -> ServedModel:
    weights.verify(entry)
    network, _, card = weights.load(entry.path)
    return ServedModel(entry, card, Denoiser(network, device), weights.count_parameters(network))
