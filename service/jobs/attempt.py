"""One attempt at a job's training: it calls ``fit``, reports the progress, and publishes the model."""

from collections.abc import Callable

from n2n_core.datasets.dataset import Dataset
from n2n_core.device import device_names, set_threads
from n2n_core.models import weights
from n2n_core.training import loop
from n2n_core.training.run_folder.event_log import Event
from service.jobs.heartbeat import Heartbeat
from service.jobs.records import Job, Json
from service.jobs.spec import recipe
from service.processes.limits import Throttle
from service.settings.server import read_settings
from service.storage.data_folder import DataFolder
from service.storage.model_catalogue import ModelCatalogue, Version, add_version
from service.storage.model_check import Kept, keep

NO_METRICS = {"event", "time", "step", "seconds", "eta_seconds"}
"""Keys of training events that are not metrics."""


def run(job: Job, folder: DataFolder, heartbeat: Heartbeat) -> Kept | None:
    """Train to the end, or until the heartbeat requests a stop. Return the best epoch's weights, or None.

    Raises:
        N2NError: the training cannot succeed with this configuration and dataset.
    """
    settings = read_settings()
    set_threads(settings.train_threads)
    device = device_names(settings.device)[-1]  # the first one gets most of the requests
    throttle = Throttle()

    def should_stop() -> bool:
        throttle.pause()
        return heartbeat.stop_requested.is_set()

    if not fit(job, folder, device, Reporter(heartbeat, folder), should_stop):
        return None
    return keep(folder.job(job.id) / loop.BEST, folder)


def fit(
    job: Job,
    folder: DataFolder,
    device: str,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> bool:
    """Train in the job's folder, from its checkpoint if there is one. Return False if it was stopped.

    Raises:
        WeightsError: the file of the weights to start from is missing or damaged.
    """
    config = recipe(job.spec)
    if job.base_sha256:
        base = folder.weights(job.base_sha256)
        weights.contents(base, job.base_sha256)  # else the job would start from what was damaged
        config = config.model_copy(update={"initial": str(base)})
    dataset = Dataset.open(folder.dataset(job.dataset_id or ""))
    other = job.validation_dataset_id
    return loop.fit(
        config,
        dataset,
        Dataset.open(folder.dataset(other)) if other else None,
        folder.job(job.id),
        resume=folder.has_checkpoint(job.id),
        device=device,
        data_card={
            "dataset": dataset.name,
            "dataset_id": job.dataset_id,
            "validation_dataset_id": other,
            "kind": dataset.kind,
            "scenes": len(dataset),
            "fingerprint": dataset.fingerprint,
        },
        on_event=on_event,
        should_stop=should_stop,
    )


class Reporter:
    """Turns training events into the job's progress."""

    def __init__(self, heartbeat: Heartbeat, folder: DataFolder) -> None:
        self.heartbeat, self.folder = heartbeat, folder

    def __call__(self, event: Event) -> None:
        """Record one event; the next heartbeat sends it."""
        beat, step = self.heartbeat, event["step"]
        match event["event"]:
            case "start":
                beat.retry(lambda: beat.store.running(beat.job_id, beat.fence, event["device"]))
                beat.report(phase="training", step=step, total_steps=event["total_steps"])
            case "step":
                beat.report(step=step, eta_seconds=event["eta_seconds"], metrics=self.metrics(event))
            case "epoch":
                beat.report(step=step, metrics=self.metrics(event))
            case "stopped":
                beat.report(step=step, eta_seconds=None)
            case "end":
                beat.report(step=step, eta_seconds=None, phase="publishing")
        beat.report(has_checkpoint=self.folder.has_checkpoint(beat.job_id))

    def metrics(self, event: Event) -> Json:
        """Return the latest value of each metric."""
        known = self.heartbeat.progress.metrics
        return known | {key: event[key] for key in event if key not in NO_METRICS}


def publish(catalogue: ModelCatalogue, job: Job, heartbeat: Heartbeat, kept: Kept) -> Version:
    """Add the weights as the newest version of the job's model and end the job, in one transaction.

    Raises:
        LeaseLostError: this attempt does not hold the job any more. Nothing was changed.
    """
    lineage = {"job": job.id, "dataset": job.dataset_id, "base_sha256": job.base_sha256}
    with catalogue.database.write() as connection:
        version = add_version(connection, job.name, kept, "trained", "", lineage)
        heartbeat.store.succeed(
            connection, job.id, heartbeat.fence, heartbeat.progress, version.version, version.sha256
        )
    return version
