"""Noise2Noise training: one loop for both engines, with checkpoints that resume exactly.

A run is a folder: ``log.jsonl`` (one event a line), ``checkpoint.pt`` (all that the next step
depends on) and ``model.safetensors`` (the weights so far, ready to be used).

The training loss compares an output with a *noisy* target, so it cannot fall below the
variance of the noise; the validation PSNR tells how good the model is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from n2n_core import networks, tiling, weights
from n2n_core.data import Pairs
from n2n_core.device import pick_device
from n2n_core.errors import ConfigError, DataError, DivergedError, WeightsError
from n2n_core.files import atomic_path
from n2n_core.learners import OPTIMIZERS, PRECISIONS, Learner, make_learner
from n2n_core.metrics import Psnr, psnr, to_bytes
from n2n_core.schedule import SCHEDULES

CHECKPOINT, LOG, MODEL = "checkpoint.pt", "log.jsonl", "model.safetensors"
CHECKPOINT_SECONDS = 60
LOG_STEPS = 50
VALIDATION_BATCH = 50
MAX_SEED = 2**32 - 1

STATE = {"config", "data", "learner", "epoch", "batch", "order", "generator", "seconds", "metrics"}
"""What a checkpoint holds."""

Event = dict[str, Any]


@dataclass(frozen=True)
class TrainConfig:
    """A recipe. The same recipe on the same data and device gives the same weights.

    Args:
        model: a name from ``networks.MODELS``.
        engine: ``torch``, ``scratch``, or ``auto``, the model's own.
        epochs: passes over the training pairs.
        batch_size: pairs a step.
        optimizer: ``adam`` or ``sgd``.
        lr: peak learning rate.
        momentum: for ``sgd``.
        schedule: ``constant``, ``cosine`` or ``onecycle``.
        augment: random flips and 90-degree rotations, the same for both images of a pair.
        swap: exchange input and target at random; right only where both are noisy.
        precision: ``float32``, or ``bfloat16`` arithmetic on float32 weights (torch.nn only).
        seed: of initial weights, order and augmentation.
    """

    model: str = "torch"
    engine: str = "auto"
    epochs: int = 10
    batch_size: int = 16
    optimizer: str = "adam"
    lr: float = 1e-3
    momentum: float = 0.0
    schedule: str = "onecycle"
    augment: bool = True
    swap: bool = True
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        networks.model(self.model)
        networks.pick_engine(self.engine, own="torch")
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.seed > MAX_SEED:
            raise ConfigError(f"seed is {self.seed}, expected at most {MAX_SEED}")
        if not 0 < self.lr < float("inf"):
            raise ConfigError(f"lr is {self.lr}, expected a number above 0")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is {self.momentum}, expected a number in [0, 1)")
        choices = {"optimizer": OPTIMIZERS, "schedule": tuple(SCHEDULES), "precision": PRECISIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, expected one of: {', '.join(known)}")


def fit(
    config: TrainConfig,
    train: Pairs,
    validation: Pairs,
    folder: Path,
    *,
    resume: bool = False,
    device: str = "auto",
    data_card: dict[str, Any] | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train ``config.model`` on ``train`` in ``folder``; report on ``validation`` every epoch.

    Args:
        resume: go on from the folder's checkpoint. Without it the folder must hold none.
        data_card: what to say of the data in the weights file.
        on_event: called with every event that the log gets.
        should_stop: asked between steps; once true, a checkpoint is written and the run ends.

    Returns:
        True if the run is complete, False if it was stopped.
    """
    run = _Run(config, train, validation, folder, pick_device(device), data_card or {}, on_event)
    if resume:
        run.restore()
    elif (folder / CHECKPOINT).exists():
        raise ConfigError(f"{folder} already holds a run, expected a new folder, or resume")
    return run.go(should_stop)


class _Run:
    """The state of one training run: position, learner, random generator."""

    def __init__(
        self,
        config: TrainConfig,
        train: Pairs,
        validation: Pairs,
        folder: Path,
        device: torch.device,
        data_card: dict[str, Any],
        on_event: Callable[[Event], None],
    ) -> None:
        for name, pairs in (("training", train), ("validation", validation)):
            if pairs.input.shape[1] != 3:
                raise DataError(f"{name} images have {pairs.input.shape[1]} channels, expected 3")
        self.config, self.train, self.validation = config, train, validation
        self.folder, self.device, self.data_card, self.on_event = folder, device, data_card, on_event
        self.architecture = networks.model(config.model)
        network = self.architecture.build(Generator().manual_seed(config.seed), config.engine)
        self.learner: Learner = make_learner(
            network, config.optimizer, config.momentum, config.precision, device
        )
        self.shape = tiling.geometry(network)
        self.generator = Generator()
        self.epoch, self.batch = 0, 0  # batches of this epoch already done
        self.order: Tensor | None = None
        self.seconds = 0.0
        self.metrics: dict[str, float | None] = {}
        self.batches = -(-len(train.input) // config.batch_size)
        self.total = self.batches * config.epochs
        self.fingerprint = weights.fingerprint(*train)

    def go(self, should_stop: Callable[[], bool]) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.emit(
            "start", step=self.step, total_steps=self.total, device=str(self.device), **asdict(self.config)
        )
        if not self.metrics:
            before = psnr(self.validation.input, self.validation.target)
            self.metrics = {"noisy_psnr": _json(before.per_image), "noisy_psnr_pooled": _json(before.pooled)}
        while self.epoch < self.config.epochs:
            if not self.run_epoch(should_stop):
                self.checkpoint()
                self.emit("stopped", step=self.step)
                return False
            after = self.validate()
            self.metrics |= {"psnr": _json(after.per_image), "psnr_pooled": _json(after.pooled)}
            self.emit("epoch", epoch=self.epoch, step=self.step, seconds=self.seconds, **self.metrics)
            self.checkpoint()
        self.emit("end", step=self.step, seconds=self.seconds, **self.metrics)
        return True

    @property
    def step(self) -> int:
        return self.epoch * self.batches + self.batch

    def run_epoch(self, should_stop: Callable[[], bool]) -> bool:
        """The rest of this epoch; False if stopped within it."""
        if self.order is None:
            self.generator.manual_seed(self.config.seed * 1_000_003 + self.epoch)
            self.order = torch.randperm(len(self.train.input), generator=self.generator)
        began = checkpointed = logged = time.monotonic()
        losses: list[Tensor] = []
        pending = batches(
            self.train, self.order, self.config, self.generator, self.device, self.shape, self.batch
        )
        while self.batch < self.batches:
            if should_stop():
                self.seconds += time.monotonic() - began
                return False
            losses.append(self.learner.step(*next(pending), self.lr()))
            self.batch += 1
            now = time.monotonic()
            if self.step % LOG_STEPS == 0 or self.batch == self.batches:
                loss = torch.stack(losses).mean().item()
                if loss != loss:
                    raise DivergedError(self.step, self.config.lr)
                rate = len(losses) * self.config.batch_size / (now - logged)
                self.emit(
                    "step", step=self.step, epoch=self.epoch, loss=loss, lr=self.lr(), images_per_second=rate
                )
                losses, logged = [], now
                if now - checkpointed > CHECKPOINT_SECONDS:  # here, where the loss is known to be a number
                    self.seconds, began, checkpointed = self.seconds + now - began, now, now
                    self.checkpoint()
        self.seconds += time.monotonic() - began
        self.epoch, self.batch, self.order = self.epoch + 1, 0, None
        return True

    def lr(self) -> float:
        return learning_rate(self.config, self.step / self.total)

    def validate(self) -> Psnr:
        outputs = [self.denoise(noisy) for noisy in torch.split(self.validation.input, VALIDATION_BATCH)]
        return psnr(torch.cat(outputs), self.validation.target)

    def denoise(self, noisy: Tensor) -> Tensor:
        height, width = noisy.shape[-2:]
        output = self.learner.predict(tiling.pad(noisy.to(self.device).float() / 255, self.shape))
        return to_bytes(output[..., :height, :width]).cpu()

    def emit(self, event: str, **values: Any) -> None:
        record = {"event": event, "time": time.time(), **values}
        with (self.folder / LOG).open("a") as log:
            log.write(json.dumps(record) + "\n")
        self.on_event(record)

    def checkpoint(self) -> None:
        state = {
            "config": asdict(self.config),
            "data": self.fingerprint,
            "learner": self.learner.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "order": self.order,
            "generator": self.generator.get_state(),
            "seconds": self.seconds,
            "metrics": self.metrics,
        }
        with atomic_path(self.folder / CHECKPOINT) as temporary:
            torch.save(state, temporary)
        recipe = asdict(self.config) | {"steps": self.step, "seconds": round(self.seconds)}
        card = weights.Card(networks.describe(self.architecture), recipe, self.data_card, self.metrics)
        weights.save(self.folder / MODEL, self.learner.network, card)

    def restore(self) -> None:
        state = load_checkpoint(self.folder)
        own, recorded = asdict(self.config), {"engine": "auto"} | state["config"]
        for config in (own, recorded):  # "auto" and the engine that it stands for are the same
            config["engine"] = networks.pick_engine(config["engine"], self.architecture.engine)
        for name, value in recorded.items():
            if own.get(name) != value:
                raise ConfigError(f"{name} is {own.get(name)!r}, expected {value!r} as in the run to resume")
        if state["data"] != self.fingerprint:
            raise DataError("the training pairs differ from those of the run to resume")
        self.learner.load_state_dict(state["learner"])
        self.epoch, self.batch, self.order = state["epoch"], state["batch"], state["order"]
        self.generator.set_state(state["generator"])
        self.seconds, self.metrics = state["seconds"], state["metrics"]


def _json(decibels: float) -> float | None:
    """JSON has no infinity."""
    return decibels if isfinite(decibels) else None


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """The checkpoint of the run in ``folder``; no code in it is executed."""
    path = folder / CHECKPOINT
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state.keys() != STATE:
            raise ValueError(f"holds {sorted(state)}")
        return state
    except FileNotFoundError as error:
        raise ConfigError(f"{folder}: holds no {CHECKPOINT}, expected a run to resume") from error
    except Exception as error:  # damaged files make torch.load raise nearly anything
        raise WeightsError(f"{path}: not a readable checkpoint") from error


def learning_rate(config: TrainConfig, progress: float) -> float:
    """The rate after the share ``progress`` (0 to 1) of the run."""
    return config.lr * SCHEDULES[config.schedule](progress)


def batches(
    pairs: Pairs,
    order: Tensor,
    config: TrainConfig,
    generator: Generator,
    device: torch.device,
    shape: tiling.Geometry,
    first: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch's batches from number ``first`` on, as floats in [0, 1] on ``device``.

    Images are swapped and augmented as ``config`` says, and padded to a size that ``shape``
    allows. ``generator`` is drawn from as each batch is made, not before.
    """
    for index in torch.split(order, config.batch_size)[first:]:
        noisy, target = (images[index.to(images.device)].to(device).float() / 255 for images in pairs)
        if config.swap:
            noisy, target = swap(noisy, target, generator)
        if config.augment:
            noisy, target = augment(noisy, target, generator)
        yield tiling.pad(noisy, shape), tiling.pad(target, shape)


def swap(noisy: Tensor, target: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Exchange the two images of each pair with probability 1/2."""
    chosen = _coins(noisy, generator)
    return torch.where(chosen, target, noisy), torch.where(chosen, noisy, target)


def augment(noisy: Tensor, target: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Turn each pair into one of its 8 flips and 90-degree rotations (4 if not square)."""
    both = torch.cat([noisy, target], dim=1)
    for axis in (2, 3):
        both = torch.where(_coins(noisy, generator), both.flip(axis), both)
    if both.shape[2] == both.shape[3]:
        both = torch.where(_coins(noisy, generator), both.transpose(2, 3), both)
    return both[:, : noisy.shape[1]], both[:, noisy.shape[1] :]


def _coins(batch: Tensor, generator: Generator) -> Tensor:
    """One fair coin an image, ``(N, 1, 1, 1)``."""
    return (torch.rand(len(batch), 1, 1, 1, generator=generator) < 0.5).to(batch.device)
