"""The state of a training run: all that its next step depends on, and how it is saved and restored."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from n2n_core.datasets.pairs import Pairs
from n2n_core.datasets.scenes import Scenes, TensorScenes
from n2n_core.errors import ConfigError, DataError, DivergedError
from n2n_core.files import storing
from n2n_core.inference import tiling
from n2n_core.models import architectures, weights
from n2n_core.models.architectures import Architecture
from n2n_core.training.batches.sampling import Sampler, split
from n2n_core.training.config import TrainConfig
from n2n_core.training.ema import EMA
from n2n_core.training.engines import Engine, make_engine
from n2n_core.training.eta import RunClock
from n2n_core.training.lr_schedules import SCHEDULES
from n2n_core.training.run_folder import checkpoints
from n2n_core.training.validation import Metrics, Validation, headline, score

MAX_STEPS = 2**31 - 1
"""Steps that can be counted in a database."""

MODEL, BEST = "model.safetensors", "best.safetensors"


class Run:
    """A training run: engine, data, position, random generator, clock and best epoch.

    Args:
        config: the recipe.
        architecture: the network's.
        train: scenes, or pairs that are both noisy.
        validation: scenes, pairs of noisy and clean, or None to hold out a share of the scenes.
        folder: where checkpoints and weights are saved.
        device: where to train.
        data_card: description of the data in the weights file.
    """

    def __init__(
        self,
        config: TrainConfig,
        architecture: Architecture,
        train: Scenes | Pairs,
        validation: Scenes | Pairs | None,
        folder: Path,
        device: torch.device,
        data_card: dict[str, Any],
    ) -> None:
        self.config, self.architecture, self.folder = config, architecture, folder
        self.device, self.data_card = device, data_card
        network = architecture.build(Generator().manual_seed(config.seed), config.engine)
        self.engine: Engine = make_engine(network, config, device)
        self.ema = EMA(self.engine.network, config.ema)
        self.shape = tiling.geometry(network)
        scenes = TensorScenes.of(train) if isinstance(train, Pairs) else train
        chosen, self.validation = _divided(scenes, validation, config)
        self.sampler = Sampler(scenes, chosen, config, self.shape, device)
        self.batches = self.sampler.batches_per_epoch
        self.total = self.batches * config.epochs
        if self.total > MAX_STEPS:
            got = f"epochs is {config.epochs}, and each has {self.batches} steps"
            raise ConfigError(f"{got}: expected at most {MAX_STEPS} steps in all", "epochs")
        self.clock = RunClock(config.max_seconds, self.validation.noisy[:, 0].numel() / self.sampler.pixels)
        self.generator = Generator()
        self.epoch, self.batch = 0, 0  # batches of this epoch that are done
        self.order: Tensor | None = None  # of the scenes in this epoch
        self.metrics: Metrics = {}
        self.best: dict[str, Any] | None = None  # the best epoch, its score and PSNR
        self.initial: str | None = None  # hash of the weights that the run started from
        self.validated = -1  # the step that the metrics are of

    def start(self) -> None:
        """Do what a run does once, and not again when it is resumed."""
        self.metrics = self.validation.before()
        if self.config.initial is None:
            return
        path = Path(self.config.initial)
        content = weights.contents(path)
        state, card = weights.parse(content, path)
        if (given := architectures.restore(card.architecture)) != self.architecture:
            raise ConfigError(f"initial is {path}: {given}, expected {self.architecture}", "initial")
        self.engine.network.load_state_dict(state)
        self.ema.load(state)
        self.initial = sha256(content).hexdigest()

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe to publish: ``initial`` is the hash of the file, not its path."""
        return self.config.model_dump() | {"initial": self.initial}

    @property
    def step(self) -> int:
        """Number of training steps done."""
        return self.epoch * self.batches + self.batch

    @property
    def progress(self) -> float:
        """Fraction of the run that is done, of its steps or its time, whichever is larger."""
        return max(self.step / self.total, self.clock.used)

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        return learning_rate(self.config, self.progress)

    def finished(self) -> str | None:
        """Return why the run is complete, or None if it is not."""
        if self.epoch >= self.config.epochs:
            return "epochs"
        if self.clock.used >= 1 and self.validated == self.step:
            return "max_seconds"
        patience = self.config.patience
        if self.best and patience is not None and self.epoch - self.best["epoch"] >= patience:
            return "patience"
        return None

    def predict(self, images: Tensor) -> Tensor:
        """Return the network's output for ``(N, 3, H, W)`` images on the device, tile by tile.

        Raises:
            DivergedError: the output is not finite.
        """
        output = tiling.run(self.engine.predict, images, self.shape, self.shape.window(), tiling.BATCH_PIXELS)
        if not output.isfinite().all():
            raise DivergedError(self.step, self.config.lr)
        return output

    def check_finite(self) -> None:
        """Raise ``DivergedError`` unless all weights are finite: a step with a finite loss may spoil them."""
        if not all(tensor.isfinite().all() for tensor in self.engine.network.state_dict().values()):
            raise DivergedError(self.step, self.config.lr)

    def judge(self, epoch: int, outputs: Tensor) -> None:
        """Compute the metrics of the validation ``outputs``. Save the weights if ``epoch`` is the best."""
        self.metrics, self.validated = self.metrics | self.validation.after(outputs), self.step
        self.check_finite()
        if self.best is None or score(self.metrics) > self.best["score"]:
            self.best = {"epoch": epoch, "score": score(self.metrics), "psnr": headline(self.metrics)}
            self.save(BEST)

    def save(self, name: str) -> None:
        """Write the current weights, with a card."""
        recipe = self.recipe | {"steps": self.step, "seconds": round(self.clock.seconds)}
        card = weights.Card(architectures.describe(self.architecture), recipe, self.data_card, self.metrics)
        with storing(self.folder / name), self.ema.applied():
            weights.save(self.folder / name, self.engine.network, card)

    def checkpoint(self) -> None:
        """Write a checkpoint and the current weights, unless these are not finite."""
        self.check_finite()
        state = {
            "config": self.config.model_dump(),
            "data": self.sampler.scenes.fingerprint,
            "learner": self.engine.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "order": self.order,
            "generator": self.generator.get_state(),
            "seconds": self.clock.seconds,
            "metrics": self.metrics,
            "best": self.best,
            "initial": self.initial,
            "validated": self.validated,
            "average": self.ema.mean,
        }
        checkpoints.save(self.folder, state)
        self.save(MODEL)

    def restore(self) -> None:
        """Continue from the folder's checkpoint.

        Raises:
            ConfigError: there is none, or its recipe differs.
            DataError: its data differ.
        """
        state = checkpoints.load(self.folder)
        self._check_recipe(TrainConfig().model_dump() | state["config"])
        if state["data"] != self.sampler.scenes.fingerprint:
            raise DataError("the training pairs differ from those of the run to resume")
        self.engine.load_state_dict(state["learner"])
        self.ema.load(state["average"])
        self.epoch, self.batch, self.order = state["epoch"], state["batch"], state["order"]
        self.generator.set_state(state["generator"])
        self.clock.start(state["seconds"])
        self.metrics, self.validated = state["metrics"], state["validated"]
        self.best, self.initial = state["best"], state["initial"]

    def _check_recipe(self, recorded: dict[str, Any]) -> None:
        """Check that the recipe ``recorded`` in a checkpoint is this run's."""
        own = self.config.model_dump()
        for config in (own, recorded):  # "auto" and the engine that it stands for are the same
            config["engine"] = architectures.pick_engine(config["engine"], self.architecture.engine)
        for name, value in recorded.items():
            if own.get(name) != value:
                got = f"{name} is {own.get(name)!r}"
                raise ConfigError(f"{got}, expected {value!r} as in the run to resume", name)


def learning_rate(config: TrainConfig, progress: float) -> float:
    """Return the learning rate after the fraction ``progress`` (0 to 1) of a run."""
    return config.lr * SCHEDULES[config.schedule](progress)


def _divided(
    scenes: Scenes, validation: Scenes | Pairs | None, config: TrainConfig
) -> tuple[list[int], Validation]:
    """Return the scenes to train on and the pictures to validate on, which are held out if none are given."""
    if validation is None:
        chosen, held_out = split(len(scenes), config.validation)
        return chosen, Validation.drawn(scenes, held_out, config)
    chosen = list(range(len(scenes)))
    if isinstance(validation, Pairs):
        return chosen, Validation.of(validation)
    return chosen, Validation.drawn(validation, list(range(len(validation))), config)
