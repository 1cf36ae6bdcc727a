"""One attempt at a job's training: the call of ``fit``, its progress, and the model that comes of it."""

from collections.abc import Callable

from n2n_core.datasets.dataset import Dataset
from n2n_core.device import device_names, set_threads
from n2n_core.training import loop
from n2n_core.training.run_folder.event_log import Event
from service.jobs.heartbeat import Heart
from service.jobs.spec import recipe
from service.jobs.store import Job, Json
from service.processes.limits import Courtesy
from service.settings.server import read_settings
from service.storage.data_folder import DataFolder
from service.storage.model_catalogue import ModelCatalogue, Version, add_version
from service.storage.model_check import Kept, keep

NO_FIGURES = {"event", "time", "step", "seconds", "eta_seconds"}
"""What events hold that is no metric."""


def run(job: Job, folder: DataFolder, heart: Heart) -> Kept | None:
    """Train until the end, or until the heart is asked to stop; the best epoch's weights, or None.

    Raises:
        N2NError: the training cannot succeed as it was asked for.
    """
    settings = read_settings()
    set_threads(settings.train_threads)
    device = device_names(settings.device)[-1]  # the first one has most of the requests
    courtesy = Courtesy()

    def should_stop() -> bool:
        courtesy.pause()
        return heart.stop_asked.is_set()

    if not fit(job, folder, device, Reporter(heart, folder), should_stop):
        return None
    return keep(folder.job(job.id) / loop.BEST, folder)


def fit(
    job: Job,
    folder: DataFolder,
    device: str,
    on_event: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> bool:
    """The core's training of the job in its folder, from its checkpoint if there is one."""
    config = recipe(job.spec)
    if job.base_sha256:
        config = config.model_copy(update={"initial": str(folder.weights(job.base_sha256))})
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

    def __init__(self, heart: Heart, folder: DataFolder) -> None:
        self.heart, self.folder = heart, folder

    def __call__(self, event: Event) -> None:
        """Note one event; the next heartbeat tells."""
        heart, step = self.heart, event["step"]
        match event["event"]:
            case "start":
                heart.insist(lambda: heart.store.running(heart.job_id, heart.fence, event["device"]))
                heart.tell(phase="training", step=step, total_steps=event["total_steps"])
            case "step":
                heart.tell(step=step, eta_seconds=event["eta_seconds"], metrics=self.metrics(event))
            case "epoch":
                heart.tell(step=step, metrics=self.metrics(event))
            case "stopped":
                heart.tell(step=step, eta_seconds=None)
            case "end":
                heart.tell(step=step, eta_seconds=None, phase="publishing")
        heart.tell(has_checkpoint=self.folder.has_checkpoint(heart.job_id))

    def metrics(self, event: Event) -> Json:
        """The newest of each figure."""
        return self.heart.progress.metrics | {key: event[key] for key in event if key not in NO_FIGURES}


def publish(catalogue: ModelCatalogue, job: Job, heart: Heart, kept: Kept) -> Version:
    """Enter the weights as the newest version of the job's model and end the job, both or neither.

    Raises:
        LeaseLostError: the job is not this attempt's any more; nothing was changed.
    """
    lineage = {"job": job.id, "dataset": job.dataset_id, "base_sha256": job.base_sha256}
    with catalogue.database.write() as connection:
        version = add_version(connection, job.name, kept, "trained", "", lineage)
        heart.store.succeed(connection, job.id, heart.fence, heart.progress, version.version, version.sha256)
    return version
