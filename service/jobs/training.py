"""One attempt at a job's training: the call of ``fit``, its progress, and the model that comes of it."""

import time
from collections.abc import Callable
from pathlib import Path

from n2n_core import train
from n2n_core.cli.data import TRAINING, VALIDATION
from n2n_core.data import load_pairs
from n2n_core.device import device_names, set_threads
from n2n_core.errors import ConfigError
from n2n_core.train import CHECKPOINT, Event, TrainConfig
from service.jobs.catalogue import Catalogue, Version, add_version
from service.jobs.folders import DataFolder
from service.jobs.heart import Heart
from service.jobs.intake import Kept, keep
from service.jobs.store import Job, Json
from service.settings import read_settings

BEST = "best.safetensors"
"""Weights of the epoch that validated best, where the core keeps them."""


def run(job: Job, folder: DataFolder, heart: Heart) -> Kept | None:
    """Train until the end, or until the heart is asked to stop; the trained weights, or None.

    Raises:
        N2NError: the training cannot succeed as it was asked for.
    """
    settings = read_settings()
    set_threads(settings.train_threads)
    device = device_names(settings.device)[-1]  # the first one has most of the requests
    reporter = Reporter(heart, folder)
    stop = heart.stop_asked.is_set
    if not fit(job.spec, folder.dataset(job.dataset_id or ""), folder.job(job.id), device, reporter, stop):
        return None
    best, last = (folder.job(job.id) / name for name in (BEST, train.MODEL))
    return keep(best if best.exists() else last, folder)


def recipe(spec: Json) -> TrainConfig:
    """The training's configuration, or ``ConfigError`` with the name of what is wrong."""
    try:
        return TrainConfig(**spec)
    except TypeError as error:
        raise ConfigError(f"the job's spec does not fit: {error}") from error


def fit(
    spec: Json,
    dataset: Path,
    folder: Path,
    device: str,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> bool:
    """The core's training of ``spec`` in ``folder``, from its checkpoint if there is one."""
    pairs, validation = (load_pairs(dataset / name) for name in (TRAINING, VALIDATION))
    return train.fit(
        recipe(spec),
        pairs,
        validation,
        folder,
        resume=(folder / CHECKPOINT).exists(),
        device=device,
        data_card={"dataset": dataset.name},
        on_event=on_event,
        should_stop=should_stop,
    )


class Reporter:
    """Turns training events into the job's progress."""

    def __init__(self, heart: Heart, folder: DataFolder) -> None:
        self.heart, self.folder = heart, folder
        self.began, self.first = time.monotonic(), 0

    def __call__(self, event: Event) -> None:
        """Note one event; the next heartbeat tells."""
        match event["event"]:
            case "start":
                self.began, self.first = time.monotonic(), event["step"]
                heart = self.heart
                heart.insist(lambda: heart.store.running(heart.job_id, heart.fence, event["device"]))
                heart.tell(phase="training", step=event["step"], total_steps=event["total_steps"])
            case "step":
                self.note(event, "loss", "lr", "images_per_second")
            case "epoch":
                self.note(
                    event, "epoch", "best_epoch", "psnr", "psnr_pooled", "noisy_psnr", "noisy_psnr_pooled"
                )
            case "stopped" | "end":
                self.heart.tell(step=event["step"], eta_seconds=None)
        self.heart.tell(has_checkpoint=self.folder.has_checkpoint(self.heart.job_id))

    def note(self, event: Event, *names: str) -> None:
        """Take figures from the event."""
        progress = self.heart.progress
        figures = {name: event[name] for name in names if name in event}
        step = event["step"]
        left = event["eta_seconds"] if "eta_seconds" in event else self.time_left(step)
        self.heart.tell(step=step, metrics=progress.metrics | figures, eta_seconds=left)

    def time_left(self, step: int) -> float | None:
        """Seconds to the end at the mean speed of this attempt, validation included."""
        total, done = self.heart.progress.total_steps, step - self.first
        if not total or done < 1:
            return None
        return (total - step) * (time.monotonic() - self.began) / done


def publish(catalogue: Catalogue, job: Job, heart: Heart, kept: Kept) -> Version:
    """Enter the weights as the newest version of the job's model and end the job, both or neither.

    Raises:
        LeaseLostError: the job is not this attempt's any more; nothing was changed.
    """
    lineage = {"job": job.id, "dataset": job.dataset_id, "base_sha256": job.base_sha256}
    with catalogue.database.write() as connection:
        version = add_version(connection, job.name, kept, "trained", "", lineage)
        heart.store.succeed(connection, job.id, heart.fence, heart.progress, version.version, version.sha256)
    return version
