"""Training from noisy pictures: one loop for both engines, with checkpoints that resume exactly.

A run is a folder: ``log.jsonl`` (one event a line), ``checkpoint.pt`` (all that the next step
depends on), ``model.safetensors`` (the weights so far, ready to be used), ``best.safetensors``
(those of the epoch that validated best) and ``samples/epoch-0001.png`` (what they do).

The training loss compares an output with a *noisy* target, so it cannot fall below the
variance of the noise; the validation PSNR tells how good the model is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import Scenes, TensorScenes
from n2n_core.device import is_out_of_memory, pick_device
from n2n_core.errors import ConfigError, DataError, DivergedError, OutOfMemoryError
from n2n_core.files import atomic_path, storing
from n2n_core.inference import tiling
from n2n_core.models import architectures, weights
from n2n_core.models.architectures import Architecture
from n2n_core.training.batches.sampling import Batch, Sampler, split
from n2n_core.training.config import TrainConfig as TrainConfig
from n2n_core.training.ema import Average
from n2n_core.training.eta import Pace
from n2n_core.training.learners import Learner, make_learner
from n2n_core.training.lr_schedules import SCHEDULES
from n2n_core.training.run_folder import checkpoints, sample_sheet
from n2n_core.training.run_folder.event_log import LOG as LOG
from n2n_core.training.run_folder.event_log import Event as Event
from n2n_core.training.run_folder.event_log import EventLog
from n2n_core.training.validation import Metrics, Validation, headline, score

CHECKPOINT = checkpoints.FILE
MODEL, BEST, SAMPLES = "model.safetensors", "best.safetensors", "samples"
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
    """Train ``config.model`` on ``train`` in ``folder``; report on ``validation`` every epoch.

    Args:
        train: scenes, or pairs that are both noisy.
        validation: scenes, pairs of noisy and clean, or None to hold out a share of the scenes.
        resume: go on from the folder's checkpoint. Without it the folder must hold none.
        data_card: what to say of the data in the weights file.
        on_event: called with every event that the log gets.
        should_stop: asked between steps; once true, a checkpoint is written and the run ends.
        checkpoint_seconds: how often a checkpoint is written, besides after every epoch.
        architecture: another network than ``config.model``'s.

    Returns:
        True if the run is complete, False if it was stopped.

    Raises:
        DivergedError: the loss or the weights are no longer finite; the last checkpoint is from before.
        StorageError: a file cannot be written; those that were there are whole.
        OutOfMemoryError: a batch does not fit into memory.
    """
    for name, data in (("training", train), ("validation", validation)):
        if isinstance(data, Pairs) and data.input.shape[1] != 3:
            raise DataError(f"{name} images have {data.input.shape[1]} channels, expected 3")
    run = _Run(
        config,
        architecture or architectures.model(config.model),
        train,
        validation,
        folder,
        pick_device(device),
        data_card or {},
        on_event,
        checkpoint_seconds,
    )
    if resume:
        run.restore()
    elif (folder / CHECKPOINT).exists():
        raise ConfigError(f"{folder} already holds a run, expected a new folder, or resume")
    with run.memory_watched():
        return run.go(should_stop)


class _Run:
    """The state of one training run: position, learner, random generator."""

    def __init__(
        self,
        config: TrainConfig,
        architecture: Architecture,
        train: Scenes | Pairs,
        validation: Scenes | Pairs | None,
        folder: Path,
        device: torch.device,
        data_card: dict[str, Any],
        on_event: Callable[[Event], None],
        checkpoint_seconds: float,
    ) -> None:
        self.config, self.folder, self.device, self.data_card = config, folder, device, data_card
        self.checkpoint_seconds = checkpoint_seconds
        self.log = EventLog(folder, on_event)
        self.architecture = architecture
        network = self.architecture.build(Generator().manual_seed(config.seed), config.engine)
        self.learner: Learner = make_learner(
            network,
            config.optimizer,
            config.momentum,
            config.precision,
            device,
            config.loss,
            config.max_norm,
        )
        self.average = Average(self.learner.network, config.ema)
        self.shape = tiling.geometry(network)
        scenes = TensorScenes.of(train) if isinstance(train, Pairs) else train
        chosen, self.validation = _divided(scenes, validation, config)
        self.sampler = Sampler(scenes, chosen, config, self.shape, device)
        self.batches = self.sampler.batches_per_epoch
        self.total = self.batches * config.epochs
        self.pace = Pace(config.max_seconds, self.validation.noisy[:, 0].numel() / self.sampler.pixels)
        self.generator = Generator()
        self.epoch, self.batch = 0, 0  # batches of this epoch already done
        self.order: Tensor | None = None
        self.metrics: Metrics = {}
        self.best: dict[str, Any] | None = None  # the best epoch, its score and PSNR
        self.initial: str | None = None  # hash of the weights that the run began with
        self.validated = -1  # the step that the metrics are of
        self.losses: list[Tensor] = []

    def go(self, should_stop: Callable[[], bool]) -> bool:
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not self.metrics:
            self.begin()
        self.emit(
            "start",
            total_steps=self.total,
            device=str(self.device),
            noise_floor=self.validation.noise_floor,
            **self.recipe,
        )
        while (reason := self.finished()) is None:
            if not self.run_epoch(should_stop):
                self.checkpoint()
                self.emit("stopped")
                return False
            self.close_epoch()
        self.checkpoint()  # with the time that ended the run, which is over for good
        self.emit("end", reason=reason, seconds=self.pace.seconds, **self.metrics)
        return True

    def begin(self) -> None:
        """What a run does once, and not again when it is resumed."""
        self.metrics = self.validation.before()
        if self.config.initial is None:
            return
        path = Path(self.config.initial)
        state, card = weights.read(path)
        if (given := architectures.restore(card.architecture)) != self.architecture:
            raise ConfigError(f"initial is {path}: {given}, expected {self.architecture}")
        self.learner.network.load_state_dict(state)
        self.average.load(state)
        self.initial = weights.sha256(path)

    def finished(self) -> str | None:
        """Why the run is complete; None if it is not."""
        if self.epoch >= self.config.epochs:
            return "epochs"
        if self.pace.share >= 1 and self.validated == self.step:
            return "max_seconds"
        patience = self.config.patience
        if self.best and patience is not None and self.epoch - self.best["epoch"] >= patience:
            return "patience"
        return None

    @property
    def recipe(self) -> dict[str, Any]:
        """The configuration to show: of the weights begun with, the hash and not the path."""
        return self.config.model_dump() | {"initial": self.initial}

    @property
    def step(self) -> int:
        return self.epoch * self.batches + self.batch

    @property
    def progress(self) -> float:
        """The share of the run that is done: of its steps or its time, whichever is larger."""
        return max(self.step / self.total, self.pace.share)

    def run_epoch(self, should_stop: Callable[[], bool]) -> bool:
        """The rest of this epoch, or of the budget; False if stopped within it."""
        if self.order is None:
            self.generator.manual_seed(self.config.seed * 1_000_003 + self.epoch)
            self.order = self.sampler.order(self.generator)
        pending = self.sampler.batches(self.order, self.generator, self.batch)
        self.logged = self.checkpointed = monotonic()
        while self.batch < self.batches and self.pace.share < 1:
            if should_stop():
                self.report()
                return False
            self.losses.append(self.learn(next(pending)))
            self.batch += 1
            self.average.update(self.step)
            self.report_if_due()
        self.report()
        if self.batch == self.batches:
            self.epoch, self.batch, self.order = self.epoch + 1, 0, None
        return True

    def learn(self, batch: Batch) -> Tensor:
        """One step; the loss."""
        expected, gamma = None, self.config.gamma * self.progress
        if batch.neighbours is not None and batch.whole is not None and gamma > 0:
            expected = tiling.pad(batch.neighbours.expected(self.predict, batch.whole), self.shape)
        return self.learner.step(batch.noisy, batch.target, self.lr(), expected, gamma)

    def lr(self) -> float:
        return learning_rate(self.config, self.progress)

    def report_if_due(self) -> None:
        """Log and save now and then; save only where the loss is known to be a number."""
        now = monotonic()
        save = now - self.checkpointed > self.checkpoint_seconds
        if save or self.step % LOG_STEPS == 0 or now - self.logged > LOG_SECONDS:
            self.report()
        if save:
            self.checkpoint()
            self.checkpointed = monotonic()

    def report(self) -> None:
        """Log the mean loss of the steps since the last report, if any."""
        if not self.losses:
            return
        loss, count = torch.stack(self.losses).mean().item(), len(self.losses)
        if not isfinite(loss):
            raise DivergedError(self.step, self.config.lr)
        now = monotonic()
        seconds = max(now - self.logged, 1e-9)
        self.pace.stepped(seconds / count)
        self.emit(
            "step",
            epoch=self.epoch,
            loss=loss,
            lr=self.lr(),
            images_per_second=count * self.config.batch_size / seconds,
            eta_seconds=self.pace.left(self.total - self.step, self.config.epochs - self.epoch),
        )
        self.losses, self.logged = [], now

    def close_epoch(self) -> None:
        """Validate; keep the weights, and those of the best epoch."""
        began, epoch = monotonic(), self.epoch + (self.batch > 0)
        with self.average.applied():
            outputs = self.predict(self.validation.noisy.to(self.device)).cpu()
        self.metrics, self.validated = self.metrics | self.validation.after(outputs), self.step
        self.check()
        if self.best is None or score(self.metrics) > self.best["score"]:
            self.best = {"epoch": epoch, "score": score(self.metrics), "psnr": headline(self.metrics)}
            self.save(BEST)
        self.show(epoch, outputs)
        self.pace.validated(monotonic() - began)
        seconds = self.pace.seconds
        best = {"best_epoch": self.best["epoch"], "best_psnr": self.best.get("psnr")}
        self.emit("epoch", epoch=epoch, seconds=seconds, **best, **self.metrics)
        self.checkpoint()

    def predict(self, images: Tensor) -> Tensor:
        """The network's output for ``(N, 3, H, W)`` images on the device, tile by tile."""
        output = tiling.run(
            self.learner.predict, images, self.shape, self.shape.window(), tiling.BATCH_PIXELS
        )
        if not output.isfinite().all():
            raise DivergedError(self.step, self.config.lr)
        return output

    def show(self, epoch: int, outputs: Tensor) -> None:
        path = self.folder / SAMPLES / f"epoch-{epoch:04}.png"
        with storing(path), atomic_path(path) as temporary:
            temporary.write_bytes(
                sample_sheet.sheet([self.validation.noisy, outputs, self.validation.target])
            )

    def emit(self, event: str, **values: Any) -> None:
        self.log.emit(event, step=self.step, **values)

    def check(self) -> None:
        """Raise unless all weights are finite: a step whose loss is may spoil them."""
        if not all(tensor.isfinite().all() for tensor in self.learner.network.state_dict().values()):
            raise DivergedError(self.step, self.config.lr)

    def checkpoint(self) -> None:
        self.check()
        state = {
            "config": self.config.model_dump(),
            "data": self.sampler.scenes.fingerprint,
            "learner": self.learner.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "order": self.order,
            "generator": self.generator.get_state(),
            "seconds": self.pace.seconds,
            "metrics": self.metrics,
            "best": self.best,
            "initial": self.initial,
            "validated": self.validated,
            "average": self.average.mean,
        }
        checkpoints.save(self.folder, state)
        self.save(MODEL)

    def save(self, name: str) -> None:
        """The weights as they are, with a card."""
        recipe = self.recipe | {"steps": self.step, "seconds": round(self.pace.seconds)}
        card = weights.Card(architectures.describe(self.architecture), recipe, self.data_card, self.metrics)
        with storing(self.folder / name), self.average.applied():
            weights.save(self.folder / name, self.learner.network, card)

    def restore(self) -> None:
        state = checkpoints.load(self.folder)
        own, recorded = self.config.model_dump(), TrainConfig().model_dump() | state["config"]
        for config in (own, recorded):  # "auto" and the engine that it stands for are the same
            config["engine"] = architectures.pick_engine(config["engine"], self.architecture.engine)
        for name, value in recorded.items():
            if own.get(name) != value:
                raise ConfigError(f"{name} is {own.get(name)!r}, expected {value!r} as in the run to resume")
        if state["data"] != self.sampler.scenes.fingerprint:
            raise DataError("the training pairs differ from those of the run to resume")
        self.learner.load_state_dict(state["learner"])
        self.average.load(state["average"])
        self.epoch, self.batch, self.order = state["epoch"], state["batch"], state["order"]
        self.generator.set_state(state["generator"])
        self.pace.start(state["seconds"])
        self.metrics, self.validated = state["metrics"], state["validated"]
        self.best, self.initial = state["best"], state["initial"]

    @contextmanager
    def memory_watched(self) -> Iterator[None]:
        """Within the block, memory that runs out is an error that says what to do."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(self.step, self.config.batch_size, self.config.crop) from error


def learning_rate(config: TrainConfig, progress: float) -> float:
    """The rate after the share ``progress`` (0 to 1) of the run."""
    return config.lr * SCHEDULES[config.schedule](progress)


def _divided(
    scenes: Scenes, validation: Scenes | Pairs | None, config: TrainConfig
) -> tuple[list[int], Validation]:
    """The scenes to train on, and those to validate on, which are others if none are given."""
    if validation is None:
        chosen, held_out = split(len(scenes), config.validation)
        return chosen, Validation.drawn(scenes, held_out, config)
    chosen = list(range(len(scenes)))
    if isinstance(validation, Pairs):
        return chosen, Validation.of(validation)
    return chosen, Validation.drawn(validation, list(range(len(validation))), config)
