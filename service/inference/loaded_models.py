"""The models that this process serves."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from n2n_core.errors import ConfigError, N2NError, UnknownModelError
from n2n_core.models import weights
from n2n_core.models.names import DEFAULT
from n2n_core.models.weights import Entry
from service.inference.device_process import DeviceDiedError, DeviceProcess, RemoteDenoiser
from service.storage.model_catalogue import ModelCatalogue, Version

CHECK_SECONDS = 1.0
"""How long a look at the index and the catalogue is good for."""

PINNED = 8
"""Models asked for by version, ``name@2``, that are kept in memory: those used last."""

log = logging.getLogger("n2n.service")


@dataclass(frozen=True)
class ServedModel:
    """A model in memory, once for each device."""

    entry: Entry
    denoisers: tuple[RemoteDenoiser, ...]
    is_blind: bool


class Registry:
    """The promoted version of every model in the catalogue, loaded; other versions when asked for.

    The catalogue follows the weights folder. What is published in either is served without a restart:
    requests under way keep the model that they began with.

    Raises:
        WeightsError: a file of the folder is missing, damaged, or not the one that its index names.
        ConfigError: the default model is neither there nor in the catalogue.
    """

    def __init__(
        self, folder: Path, default: str, devices: Sequence[DeviceProcess], catalogue: ModelCatalogue
    ) -> None:
        self.folder, self.default, self.devices = folder, default, tuple(devices)
        self.catalogue = catalogue
        self.models: dict[str, ServedModel] = {}
        self.ready = False
        self._pinned: dict[str, ServedModel] = {}
        self._updating, self._checked = Lock(), 0.0
        self._index: tuple[int, int, int] | None = None
        self._stamp: int | None = None
        self._check()

    async def find(self, reference: str | None) -> ServedModel:
        """The model ``name``, or its version ``name@2``, or the default one; else ``UnknownModelError``.

        An unknown name is looked up at once, whenever the last look was.
        """
        await self.refresh()
        name = self.default if reference in (None, DEFAULT) else str(reference)
        if name in self.models:
            return self.models[name]
        return await asyncio.to_thread(self._look_up, name)

    async def refresh(self) -> None:
        """Follow what was published, if the last look is old; what cannot be read changes nothing."""
        is_old = monotonic() - self._checked >= CHECK_SECONDS
        if self.ready and is_old and not self._updating.locked():  # nobody waits for another one's look
            self._checked = monotonic()
            await asyncio.to_thread(self.update)

    def update(self) -> None:
        """Follow what was published by now."""
        with self._updating:
            try:
                self._follow()
            except (N2NError, SQLAlchemyError, DeviceDiedError) as error:
                log.error("the models stay as they are: %s", error)

    def open(self) -> None:
        """Load every model and run it, so that the first request does not pay for it, and measure it.

        Raises:
            N2NError: a model of the folder, or the default one, cannot be served.
        """
        with self._updating:
            self._follow()
        if self.default not in self.models:
            raise ConfigError(f"the default model {self.default!r} cannot be served")
        self.ready = True

    def close(self) -> None:
        """End the devices' processes."""
        for device in self.devices:
            device.close()

    def _check(self) -> None:
        """What can be told before the catalogue is open."""
        index = weights.read_index(self.folder)
        for entry in index.values():
            weights.verify(entry)
        if self.default not in index:
            self.catalogue.database.migrate()
            names = {*index, *(version.name for version in self.catalogue.list_served())}
            if self.default not in names:
                expected = f"expected one of: {', '.join(sorted(names))}"
                raise ConfigError(f"the default model is {self.default!r}, {expected}")

    def _follow(self) -> None:
        index = self._index_stamp()
        if index != self._index:
            self._index = index
            self.catalogue.follow(self.folder)
        stamp = self.catalogue.stamp()
        if stamp != self._stamp:
            models = self._serve_all()
            if models.keys() != self.models.keys():
                log.info("models are now %s", ", ".join(sorted(models)))
            self.models, self._stamp = models, stamp
            self._pinned = {name: model for name, model in self._pinned.items() if self._exists(model)}

    def _serve_all(self) -> dict[str, ServedModel]:
        """One that cannot be loaded spoils no other; what it was before is served on."""
        models = {}
        for version in self.catalogue.list_served():
            try:
                models[version.name] = self._serve(version)
            except N2NError as error:
                log.error("%s@%d is not served: %s", version.name, version.version, error)
                if version.name in self.models:
                    models[version.name] = self.models[version.name]
        return models

    def _look_up(self, reference: str) -> ServedModel:
        self.update()
        if reference in self.models:
            return self.models[reference]
        version = self.catalogue.resolve(reference)
        if version.promoted and version.name in self.models:
            return self.models[version.name]
        with self._updating:
            model = self._pinned.pop(reference, None) or self._serve(version)
            self._pinned[reference] = model  # the last one now
            while len(self._pinned) > PINNED:
                del self._pinned[next(iter(self._pinned))]
        return model

    def _exists(self, model: ServedModel) -> bool:
        try:
            return self.catalogue.resolve(model.entry.id).sha256 == model.entry.sha256
        except UnknownModelError:
            return False

    def _serve(self, version: Version) -> ServedModel:
        """From memory if it is there: the same weights are loaded once, whatever they are called."""
        entry = Entry(version.id, self.catalogue.path(version), version.sha256, version.task)
        for known in (*self.models.values(), *self._pinned.values()):
            if known.entry == entry:
                return known
            if known.entry.sha256 == entry.sha256:
                return ServedModel(entry, known.denoisers, known.is_blind)
        return ServedModel(entry, self._load(entry), weights.read_card(entry.path).is_blind)

    def _load(self, entry: Entry) -> tuple[RemoteDenoiser, ...]:
        weights.verify(entry)
        denoisers = tuple(RemoteDenoiser(device, entry.path) for device in self.devices)
        for denoiser in denoisers:
            denoiser.calibrate()
        return denoisers

    def _index_stamp(self) -> tuple[int, int, int] | None:
        """Changes whenever the index is replaced."""
        try:
            status = (self.folder / weights.INDEX).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
