"""Training from noisy pictures: one loop for both engines, with checkpoints that resume exactly.

A run is a folder: ``log.jsonl`` (one event per line), ``checkpoint.pt`` (all that the next step
depends on), ``model.safetensors`` (the current weights, ready for use), ``best.safetensors``
(those of the epoch with the best validation), ``samples/epoch-0001.png`` (denoised pictures, of at most
100 epochs) and ``samples/grid.json`` (where these are on each sheet).

The training loss compares an output with a *noisy* target, so it cannot fall below the
variance of the noise. The validation PSNR tells how good the model is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import Scenes
from n2n_core.device import is_out_of_memory, pick_device
from n2n_core.errors import ConfigError, DataError, DivergedError, OutOfMemoryError
from n2n_core.files import atomic_path, storing
from n2n_core.inference import tiling
from n2n_core.models import architectures
from n2n_core.models.architectures import Architecture
from n2n_core.training.batches.sampling import Batch
from n2n_core.training.config import TrainConfig
from n2n_core.training.run import BEST as BEST
from n2n_core.training.run import MODEL as MODEL
from n2n_core.training.run import Run
from n2n_core.training.run_folder import checkpoints, sample_sheet
from n2n_core.training.run_folder.event_log import LOG as LOG
from n2n_core.training.run_folder.event_log import Event, EventLog

CHECKPOINT, SAMPLES, GRID = checkpoints.FILE, "samples", "grid.json"
CHECKPOINT_SECONDS = 60.0
LOG_STEPS = 50
LOG_SECONDS = 5.0


def fit(
    config: TrainConfig,
    train: Scenes | Pairs,
    validation: Scenes | Pairs | None,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    data_card: dict[str, Any] | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    architecture: Architecture | None = None,
) -> bool:
    """Train ``config.model`` on ``train`` in ``folder``, and validate after every epoch.

    Args:
        config: the recipe.
        train: scenes, or pairs that are both noisy.
        validation: scenes, pairs of noisy and clean, or None to hold out a share of the scenes.
        folder: the run's folder, created if it does not exist.
        resume: continue from the folder's checkpoint. If False, the folder must not have one.
        device: ``auto``, ``cpu`` or ``cuda``.
        data_card: description of the data for the weights file.
        on_event: called with every event that is logged.
        should_stop: called between steps. Once it returns True, a checkpoint is written and the run ends.
        checkpoint_seconds: seconds between checkpoints. Every epoch also ends with one.
        architecture: a network that replaces that of ``config.model``.

    Returns:
        True if the run is complete, False if it was stopped.

    Raises:
        ConfigError: the recipe does not fit the data or the run to resume.
        DivergedError: the loss or the weights are not finite. The last checkpoint is from before.
        StorageError: a file cannot be written. Existing files are intact.
        OutOfMemoryError: a batch does not fit into memory.
    """
    for name, data in (("training", train), ("validation", validation)):
        if isinstance(data, Pairs) and data.input.shape[1] != 3:
            raise DataError(f"{name} images have {data.input.shape[1]} channels, expected 3")
    network = architecture or architectures.model(config.model)
    run = Run(config, network, train, validation, folder, pick_device(device), data_card or {})
    if resume:
        run.restore()
    elif (folder / CHECKPOINT).exists():
        raise ConfigError(f"{folder} already contains a run, expected a new folder, or resume")
    with _watch_memory(run):
        return _Loop(run, on_event, should_stop, checkpoint_seconds).go()


class _Loop:
    """Takes a run to its end: steps, reports, checkpoints and validations."""

    def __init__(
        self,
        run: Run,
        on_event: Callable[[Event], None],
        should_stop: Callable[[], bool],
        checkpoint_seconds: float,
    ) -> None:
        self.run, self.config = run, run.config
        self.log = EventLog(run.folder, on_event)
        self.should_stop, self.checkpoint_seconds = should_stop, checkpoint_seconds
        self.losses: list[Tensor] = []  # since the last report

    def go(self) -> bool:
        """Train until the run is complete (True) or stopped (False)."""
        run = self.run
        with storing(run.folder):
            run.folder.mkdir(parents=True, exist_ok=True)
        if not run.metrics:
            run.start()
        floor = run.validation.noise_floor
        self.emit("start", total_steps=run.total, device=str(run.device), noise_floor=floor, **run.recipe)
        while (reason := run.finished()) is None:
            if not self.train_epoch():
                run.checkpoint()
                self.emit("stopped")
                return False
            self.validate()
        run.checkpoint()  # its time says that the budget is used up, should the run be resumed
        self.emit("end", reason=reason, seconds=run.clock.seconds, **run.metrics)
        return True

    def train_epoch(self) -> bool:
        """Do the rest of the epoch, or of the budget. Return False if stopped before."""
        run = self.run
        if run.order is None:
            run.generator.manual_seed(self.config.seed * 1_000_003 + run.epoch)
            run.order = run.sampler.order(run.generator)
        pending = run.sampler.batches(run.order, run.generator, run.batch)
        self.logged = self.checkpointed = monotonic()
        while run.batch < run.batches and run.clock.used < 1:
            if self.should_stop():
                self.report()
                return False
            self.losses.append(self.step(next(pending)))
            run.batch += 1
            run.ema.update(run.step)
            self.report_if_due()
        self.report()
        if run.batch == run.batches:
            run.epoch, run.batch, run.order = run.epoch + 1, 0, None
        return True

    def step(self, batch: Batch) -> Tensor:
        """Do one step and return its loss."""
        run = self.run
        expected, gamma = None, self.config.gamma * run.progress
        if batch.subsampler is not None and batch.whole is not None and gamma > 0:
            expected = tiling.pad(batch.subsampler.expected(run.predict, batch.whole), run.shape)
        return run.engine.step(batch.noisy, batch.target, run.lr, expected, gamma)

    def report_if_due(self) -> None:
        """Report and write a checkpoint from time to time, the latter only if the loss is finite."""
        now = monotonic()
        save = now - self.checkpointed > self.checkpoint_seconds
        if save or self.run.step % LOG_STEPS == 0 or now - self.logged > LOG_SECONDS:
            self.report()
        if save:
            self.run.checkpoint()
            self.checkpointed = monotonic()

    def report(self) -> None:
        """Log the mean loss of the steps since the last report, if any."""
        if not self.losses:
            return
        run, loss, count = self.run, torch.stack(self.losses).mean().item(), len(self.losses)
        if not isfinite(loss):
            raise DivergedError(run.step, self.config.lr)
        now = monotonic()
        seconds = max(now - self.logged, 1e-9)
        run.clock.record_step(seconds / count)
        self.emit(
            "step",
            epoch=run.epoch,
            loss=loss,
            lr=run.lr,
            images_per_second=count * self.config.batch_size / seconds,
            eta_seconds=run.clock.eta(run.total - run.step, self.config.epochs - run.epoch),
        )
        self.losses, self.logged = [], now

    def validate(self) -> None:
        """Validate, and save the weights, those of the best epoch, and a sheet of samples."""
        run, began = self.run, monotonic()
        epoch = run.epoch + (run.batch > 0)
        with run.ema.applied():
            outputs = run.predict(run.validation.noisy.to(run.device)).cpu()
        run.judge(epoch, outputs)
        self.save_samples(epoch, outputs)
        run.clock.record_validation(monotonic() - began)
        best = run.best or {}
        self.emit(
            "epoch",
            epoch=epoch,
            seconds=run.clock.seconds,
            best_epoch=best.get("epoch"),
            best_psnr=best.get("psnr"),
            **run.metrics,
        )
        run.checkpoint()

    def save_samples(self, epoch: int, outputs: Tensor) -> None:
        """Write the epoch's sheet of noisy, denoised and target pictures, and its grid; thin the others."""
        folder, seen = self.run.folder / SAMPLES, self.run.validation
        grid = asdict(sample_sheet.Grid.of(seen.noisy))
        sheet = sample_sheet.sheet([seen.noisy, outputs, seen.target])
        _store(folder / GRID, json.dumps(grid).encode())
        _store(sample_sheet.path(folder, epoch), sheet)
        for other in sample_sheet.surplus(sample_sheet.epochs(folder), sample_sheet.MOST_SHEETS):
            sample_sheet.path(folder, other).unlink()

    def emit(self, event: str, **values: Any) -> None:
        """Log an event with the current step."""
        self.log.emit(event, step=self.run.step, **values)


def _store(path: Path, content: bytes) -> None:
    with storing(path), atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def _watch_memory(run: Run) -> Iterator[None]:
    """Raise ``OutOfMemoryError`` with the batch's size if memory runs out within the block."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemoryError(run.step, run.config.batch_size, run.config.crop) from error
