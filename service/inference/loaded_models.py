"""The models that the service has in memory."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from n2n_core.errors import ConfigError, N2NError, UnknownModelError, WeightsError
from n2n_core.models import weights
from n2n_core.models.names import DEFAULT
from n2n_core.models.weights import Card, Entry
from service.exceptions import RefusedError
from service.inference.device_process import DeviceProcess, RemoteDenoiser, StartError
from service.processes.child import ChildDiedError
from service.storage.model_catalogue import ModelCatalogue, Version

CHECK_SECONDS = 1.0
"""Minimum time between two checks of the weights folder and the catalogue for changes."""

WAIT_SECONDS = 2.0
"""Longest time that a request for another model waits for a check, which may have to load models."""

LOOK_UP_SECONDS = 30.0
"""Longest time that a request waits for its own model."""

RETRY_SECONDS = 60.0
"""Time until a model that could not be loaded is tried again."""

PINNED = 8
"""Number of models requested by version, ``name@2``, that stay in memory: the most recently used ones."""

T = TypeVar("T")

log = logging.getLogger("n2n.service")


@dataclass(frozen=True)
class ServedModel:
    """A model in memory, with a denoiser for each device."""

    entry: Entry
    denoisers: tuple[RemoteDenoiser, ...]
    is_blind: bool

    @property
    def is_lost(self) -> bool:
        """Whether a device could not load it again after its process had died."""
        return any(denoiser.loss for denoiser in self.denoisers)


@dataclass(frozen=True)
class Failure:
    """Why weights cannot be served, and when that was found, on the clock of ``monotonic``."""

    reason: str
    at: float

    @property
    def seconds_left(self) -> float:
        """Seconds until they are tried again."""
        return self.at + RETRY_SECONDS - monotonic()


class LoadedModels:
    """The promoted version of every model in the catalogue, and other versions on request.

    The catalogue follows the weights folder. Models published in either are served without a restart, while
    requests under way keep the model that they began with. A model that cannot be loaded or measured is left
    out, and tried again later: ``failures`` says why.

    Args:
        folder: the weights folder.
        default: name of the model for requests that name none.

    Raises:
        WeightsError: the folder has no index, or it is not valid.
        ConfigError: the default model is neither in the folder nor in the catalogue.
    """

    def __init__(
        self, folder: Path, default: str, devices: Sequence[DeviceProcess], catalogue: ModelCatalogue
    ) -> None:
        self.folder, self.default, self.devices = folder, default, tuple(devices)
        self.catalogue = catalogue
        self.models: dict[str, ServedModel] = {}
        self.unavailable: dict[str, str] = {}
        """Why models are left out, or their previous version is served, by the model's name."""
        self.failures: dict[str, Failure] = {}
        """Of weights that cannot be served, by their hash."""
        self.ready = False
        self._pinned: dict[str, ServedModel] = {}
        self._updating, self._checked = Lock(), 0.0
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="models")
        self._index: tuple[int, int, int] | None = None
        self._stamp: int | None = None
        self._check()

    async def find(self, reference: str | None) -> ServedModel:
        """Return the model ``name``, its version ``name@2``, or the default one (None or ``default``).

        A name that is not in memory is looked up at once, however recent the last check.

        Raises:
            UnknownModelError: there is no such model.
            RefusedError: it cannot be served.
        """
        await self.refresh()
        name = self.default if reference in (None, DEFAULT) else str(reference)
        known = self.models.get(name)
        if known is None and self._updating.locked():  # no need to wait until other models are loaded
            known = self._pinned.get(name)
        if known:
            return known
        await asyncio.to_thread(self._check_known, name)
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await self._in_thread(self._look_up, name)
        except TimeoutError as error:
            raise RefusedError("unavailable", f"the model {name!r} is not loaded yet", 5) from error

    async def refresh(self, seconds: float | None = None) -> None:
        """Load what was published, if the last check is old. What cannot be read changes nothing.

        Args:
            seconds: to wait for it, at most; it is done in any case. By default ``WAIT_SECONDS``.
        """
        is_old = monotonic() - self._checked >= CHECK_SECONDS
        if (
            self.ready and is_old and not self._updating.locked()
        ):  # requests do not wait for the check of another one
            self._checked = monotonic()
            update = asyncio.ensure_future(self.update_now())
            await asyncio.wait({update}, timeout=WAIT_SECONDS if seconds is None else seconds)

    async def update_now(self) -> None:
        """``update``, in a thread."""
        await self._in_thread(self.update)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Call a function in threads of our own: loading may take long, and other threads are for others."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def update(self) -> None:
        """Load what was published by now. What cannot be read changes nothing."""
        with self._updating:
            try:
                self._follow()
            except (N2NError, SQLAlchemyError, ChildDiedError) as error:
                log.error("the models stay as they are: %s", error)
            except Exception:  # nobody waits for it, and requests for models that are here can be answered
                log.exception("the models stay as they are")

    def open(self) -> None:
        """Load, warm up and measure every model, so that the first request need not wait for it."""
        with self._updating:
            self._follow()
        if self.default not in self.models:
            log.error("the default model %r cannot be served", self.default)
        self.ready = True

    def close(self) -> None:
        """End the processes of all devices."""
        for device in self.devices:
            device.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def failure(self, version: Version) -> str | None:
        """Return why a version cannot be served; None if it can, as far as that was tried."""
        failure = self.failures.get(version.sha256)
        return failure.reason if failure else None

    def _check(self) -> None:
        """Check what can be checked before the catalogue is open."""
        index = weights.read_index(self.folder)
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
        if stamp != self._stamp or self._can_be_mended():
            models = self._serve_all()
            if models.keys() != self.models.keys():
                log.info("models are now %s", ", ".join(sorted(models)))
            self.models, self._stamp = models, stamp
            self._pinned = {name: model for name, model in self._pinned.items() if self._exists(model)}

    def _can_be_mended(self) -> bool:
        """Return whether a model is to be loaded again: one that was lost, or that failed some time ago."""
        lost = (model for model in self.models.values() if model.is_lost)
        is_new = any(model.entry.sha256 not in self.failures for model in lost)
        return is_new or any(failure.seconds_left <= 0 for failure in self.failures.values())

    def _serve_all(self) -> dict[str, ServedModel]:
        """Load all served models. If one fails, its previous version stays; the others are loaded.

        Raises:
            StartError: a device has no process, which is no model's fault.
        """
        models, unavailable, served = {}, {}, self.catalogue.list_served()
        hashes = {version.sha256 for version in served}
        self.failures = {sha256: failure for sha256, failure in self.failures.items() if sha256 in hashes}
        for version in served:
            try:
                models[version.name] = self._serve(version)
            except WeightsError as error:
                log.error("%s@%d is not served: %s", version.name, version.version, error)
                unavailable[version.name] = str(error)
                if version.name in self.models:
                    models[version.name] = self.models[version.name]
        self.unavailable = unavailable
        return models

    def _check_known(self, reference: str) -> None:
        """Raise ``UnknownModelError`` at once for an unknown name, even while other models are loaded."""
        if self._index_stamp() == self._index:
            self.catalogue.resolve(reference)

    def _look_up(self, reference: str) -> ServedModel:
        self.update()
        if reference in self.models:
            return self.models[reference]
        version = self.catalogue.resolve(reference)
        if version.promoted and version.name in self.models:
            return self.models[version.name]
        with self._updating:
            try:
                model = self._pinned.pop(reference, None) or self._serve(version)
            except WeightsError as error:
                left = self.failures[version.sha256].seconds_left
                detail = f"the model {reference!r} cannot be served now: {error}"
                raise RefusedError("unavailable", detail, max(1.0, left)) from error
            self._pinned[reference] = model  # at the end: the most recently used
            while len(self._pinned) > PINNED:
                del self._pinned[next(iter(self._pinned))]
        return model

    def _exists(self, model: ServedModel) -> bool:
        if model.is_lost:
            return False
        try:
            return self.catalogue.resolve(model.entry.id).sha256 == model.entry.sha256
        except UnknownModelError:
            return False

    def _serve(self, version: Version) -> ServedModel:
        """Return a version as a model, loaded unless the same weights are in memory under any name.

        Raises:
            WeightsError: it cannot be loaded or measured, now or a moment ago.
            StartError: a device has no process.
        """
        entry = Entry(version.id, self.catalogue.path(version), version.sha256, version.task)
        for known in (*self.models.values(), *self._pinned.values()):
            if known.entry.sha256 == entry.sha256 and not known.is_lost:
                self.failures.pop(entry.sha256, None)
                return known if known.entry == entry else ServedModel(entry, known.denoisers, known.is_blind)
        failure = self.failures.get(entry.sha256)
        if failure and failure.seconds_left > 0:
            raise WeightsError(failure.reason)
        try:
            denoisers = self._load(entry)
        except WeightsError as error:
            reason = str(error).replace(f"{entry.path.parent}/", "")  # clients see it
            self.failures[entry.sha256] = Failure(reason, monotonic())
            raise WeightsError(reason) from error
        self.failures.pop(entry.sha256, None)
        return ServedModel(entry, denoisers, Card(**version.card).is_blind)

    def _load(self, entry: Entry) -> tuple[RemoteDenoiser, ...]:
        """Load and measure weights on every device.

        Raises:
            WeightsError: that fails, whatever the reason, so it is this model's failure alone.
            StartError: a device has no process.
        """
        try:
            self._mend(entry)
            denoisers = tuple(RemoteDenoiser(device, entry.path, entry.sha256) for device in self.devices)
            for denoiser in denoisers:
                denoiser.calibrate()
        except (WeightsError, StartError):
            raise
        except Exception as error:
            raise WeightsError(
                f"it cannot be loaded and measured ({type(error).__name__}: {error})"
            ) from error
        return denoisers

    def _mend(self, entry: Entry) -> None:
        """Store a shipped file again whose copy in the data folder is damaged."""
        try:
            weights.verify(entry)
        except WeightsError as error:
            for own in weights.read_index(self.folder).values():
                if own.sha256 == entry.sha256:
                    self.catalogue.restore(own)
                    log.warning("%s: stored again from %s", error, own.path)

    def _index_stamp(self) -> tuple[int, int, int] | None:
        """Return a value that changes whenever the index is replaced."""
        try:
            status = (self.folder / weights.INDEX).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
