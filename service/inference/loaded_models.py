"""The models that the service has in memory."""

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
from service.inference.device_process import DeviceProcess, RemoteDenoiser
from service.processes.child import ChildDiedError
from service.storage.model_catalogue import ModelCatalogue, Version

CHECK_SECONDS = 1.0
"""Minimum time between two checks of the weights folder and the catalogue for changes."""

PINNED = 8
"""Number of models requested by version, ``name@2``, that stay in memory: the most recently used ones."""

log = logging.getLogger("n2n.service")


@dataclass(frozen=True)
class ServedModel:
    """A model in memory, with a denoiser for each device."""

    entry: Entry
    denoisers: tuple[RemoteDenoiser, ...]
    is_blind: bool


class LoadedModels:
    """The promoted version of every model in the catalogue, and other versions on request.

    The catalogue follows the weights folder. Models published in either are served without a restart, while
    requests under way keep the model that they began with.

    Args:
        folder: the weights folder.
        default: name of the model for requests that name none.

    Raises:
        WeightsError: a file of the folder is missing, damaged, or not the one that its index names.
        ConfigError: the default model is neither in the folder nor in the catalogue.
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
        """Return the model ``name``, its version ``name@2``, or the default one (None or ``default``).

        A name that is not in memory is looked up at once, however recent the last check.

        Raises:
            UnknownModelError: there is no such model.
        """
        await self.refresh()
        name = self.default if reference in (None, DEFAULT) else str(reference)
        if name in self.models:
            return self.models[name]
        return await asyncio.to_thread(self._look_up, name)

    async def refresh(self) -> None:
        """Load what was published, if the last check is old. What cannot be read changes nothing."""
        is_old = monotonic() - self._checked >= CHECK_SECONDS
        if (
            self.ready and is_old and not self._updating.locked()
        ):  # requests do not wait for the check of another one
            self._checked = monotonic()
            await asyncio.to_thread(self.update)

    def update(self) -> None:
        """Load what was published by now. What cannot be read changes nothing."""
        with self._updating:
            try:
                self._follow()
            except (N2NError, SQLAlchemyError, ChildDiedError) as error:
                log.error("the models stay as they are: %s", error)

    def open(self) -> None:
        """Load, warm up and measure every model, so that the first request need not wait for it.

        Raises:
            N2NError: a model of the folder, or the default one, cannot be served.
        """
        with self._updating:
            self._follow()
        if self.default not in self.models:
            raise ConfigError(f"the default model {self.default!r} cannot be served")
        self.ready = True

    def close(self) -> None:
        """End the processes of all devices."""
        for device in self.devices:
            device.close()

    def _check(self) -> None:
        """Check what can be checked before the catalogue is open."""
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
        """Load all served models. If one fails, its previous version stays; the others are loaded."""
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
            self._pinned[reference] = model  # at the end: the most recently used
            while len(self._pinned) > PINNED:
                del self._pinned[next(iter(self._pinned))]
        return model

    def _exists(self, model: ServedModel) -> bool:
        try:
            return self.catalogue.resolve(model.entry.id).sha256 == model.entry.sha256
        except UnknownModelError:
            return False

    def _serve(self, version: Version) -> ServedModel:
        """Return a version as a model, loaded unless the same weights are in memory under any name."""
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
        """Return a value that changes whenever the index is replaced."""
        try:
            status = (self.folder / weights.INDEX).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
