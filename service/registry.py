"""The models that this process serves."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from n2n_core import tiling, weights
from n2n_core.errors import ConfigError, N2NError, UnknownModelError
from n2n_core.inference import check_channels
from n2n_core.weights import Card, Entry
from service.device_process import DeviceProcess, RemoteDenoiser

CHECK_SECONDS = 1.0
"""How long a look at the index is good for."""

log = logging.getLogger("n2n.service")


@dataclass(frozen=True)
class ServedModel:
    """A model in memory, once for each device, and what is known of it."""

    entry: Entry
    card: Card
    denoisers: tuple[RemoteDenoiser, ...]
    parameters: int


class Registry:
    """All models of a weights folder, loaded, their hashes checked.

    A new or changed model is served once the folder's index names it, without a restart: requests
    under way keep the one that they began with.

    Raises:
        WeightsError: a file is missing, damaged, or not the one that the index names.
        ConfigError: the default model is not among them.
    """

    def __init__(self, folder: Path, default: str, devices: Sequence[DeviceProcess]) -> None:
        self.folder, self.default, self.devices = folder, default, tuple(devices)
        self.models: dict[str, ServedModel] = {}
        self.ready = False
        self._loading, self._checked = asyncio.Lock(), monotonic()
        self._stamp = self._index_stamp()
        self.models = self._load()

    def get(self, name: str | None) -> ServedModel:
        """The model called ``name``, or the default one."""
        name = self.default if name is None else name
        if name not in self.models:
            raise UnknownModelError(name, self.models)
        return self.models[name]

    def warm_up(self) -> None:
        """Run every model, so that the first request does not pay for it, and measure it."""
        for model in self.models.values():
            for denoiser in model.denoisers:
                denoiser.calibrate()
        self.ready = True

    def close(self) -> None:
        """End the devices' processes."""
        for device in self.devices:
            device.close()

    async def refresh(self) -> None:
        """Follow the folder's index, if it has changed; a folder that cannot be read changes nothing."""
        if monotonic() - self._checked < CHECK_SECONDS:
            return
        self._checked = monotonic()
        stamp = self._index_stamp()
        if stamp == self._stamp:
            return
        async with self._loading:
            if stamp == self._stamp:
                return
            self._stamp = stamp
            try:
                self.models = await asyncio.to_thread(self._load)
                log.info("models are now %s", ", ".join(sorted(self.models)))
            except N2NError as error:
                log.error("the models stay as they are: %s", error)

    def _load(self) -> dict[str, ServedModel]:
        """Every model of the index; those that are in memory already are taken from there."""
        models = {}
        for name, entry in weights.read_index(self.folder).items():
            known = self.models.get(name)
            models[name] = known if known and known.entry == entry else self._read(entry)
        if self.default not in models:
            expected = f"expected one of: {', '.join(sorted(models))}"
            raise ConfigError(f"the default model is {self.default!r}, {expected}")
        return models

    def _read(self, entry: Entry) -> ServedModel:
        weights.verify(entry)
        network, _, card = weights.load(entry.path)
        check_channels(network)
        geometry = tiling.geometry(network)
        denoisers = tuple(RemoteDenoiser(device, entry.path, geometry) for device in self.devices)
        if self.ready:
            for denoiser in denoisers:
                denoiser.calibrate()
        return ServedModel(entry, card, denoisers, weights.count_parameters(network))

    def _index_stamp(self) -> tuple[int, int, int] | None:
        """Changes whenever the index is replaced."""
        try:
            status = (self.folder / weights.INDEX).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
