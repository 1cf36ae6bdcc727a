"""A program that uses the generated client: ``python exercise.py ADDRESS PICTURES``.

``test_python_client`` generates the package ``n2n_generated``, has mypy check this file with it, and runs it.
"""

import json
import sys
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

from httpx import Timeout
from n2n_generated import AuthenticatedClient
from n2n_generated.api.datasets import create_dataset, get_dataset_thumbnail, list_datasets
from n2n_generated.api.denoise import denoise, denoise_batch
from n2n_generated.api.health import get_readiness
from n2n_generated.api.models import download_model, get_model, list_models
from n2n_generated.api.train_jobs import (
    create_train_job,
    get_train_job,
    get_train_job_events,
    get_train_job_log,
    get_train_job_metrics,
    get_train_job_plot,
    get_train_job_sample,
    list_train_job_samples,
)
from n2n_generated.models import (
    Dataset,
    DatasetKind,
    DatasetState,
    DatasetUpload,
    DatasetUploadCorruption,
    DatasetUploadKind,
    DenoiseFormat,
    DenoiseReport,
    DenoiseReportForm,
    GetTrainJobPlotFormat,
    GetTrainJobPlotName,
    ImageUpload,
    ImageUploads,
    JobMetrics,
    Model,
    ModelList,
    Problem,
    SampleList,
    State,
    TrainJob,
    TrainJobRequest,
    TrainJobRequestModel,
)
from n2n_generated.types import File

PNG, JPEG, ZIP = b"\x89PNG\r\n", b"\xff\xd8\xff", b"PK\x03\x04"


def denoise_pictures(client: AuthenticatedClient, pictures: Path) -> None:
    """A form and a raw body in, a file out; a report alone, and one beside its pictures."""
    with (pictures / "noisy.png").open("rb") as noisy:
        image = denoise.sync(client=client, body=ImageUpload(file=File(noisy, "a.png")), model="scratch")
    assert isinstance(image, File)
    assert image.payload.read().startswith(PNG)
    with (pictures / "noisy.png").open("rb") as noisy:
        jpeg = denoise.sync(client=client, body=File(noisy), format_=DenoiseFormat.JPEG, strength=0.5)
    assert isinstance(jpeg, File)
    assert jpeg.payload.read().startswith(JPEG)
    with (pictures / "noisy.png").open("rb") as noisy, (pictures / "clean.png").open("rb") as clean:
        answer = denoise.sync_detailed(
            client=client,
            body=ImageUpload(file=File(noisy, "a.png"), reference=File(clean, "b.png")),
            report=DenoiseReportForm.MULTIPART,
            self_ensemble=True,
            uncertainty=True,
        )
    parts = form(answer.headers["content-type"], answer.content)
    assert set(parts) == {"image", "report", "uncertainty"}
    assert parts["image"].startswith(PNG)
    report = DenoiseReport.from_dict(json.loads(parts["report"]))
    assert report.reference is not None
    assert report.self_ensemble is not None
    assert report.noise.after < report.noise.before
    with (pictures / "noisy.png").open("rb") as first, (pictures / "clean.png").open("rb") as second:
        files = [File(first, "a.png"), File(second, "b.png")]
        archive = denoise_batch.sync(client=client, body=ImageUploads(file=files))
    assert isinstance(archive, File)
    assert archive.payload.read().startswith(ZIP)


def form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a multipart answer by their names."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
    found = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[str(part.get_param("name", header="content-disposition"))] = content
    return found


def meet_problems(client: AuthenticatedClient, pictures: Path) -> None:
    """What is wrong is told by type."""
    with (pictures / "noisy.png").open("rb") as noisy:
        problem = denoise.sync(client=client, body=File(noisy), model="best")
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (404, "unknown_model")
    assert "'best'" in problem.detail
    refused = create_train_job.sync(client=client, body=TrainJobRequest(dataset="none"))
    assert isinstance(refused, Problem)
    assert isinstance(refused.errors, list)
    assert [(refused.code, error.pointer) for error in refused.errors] == [
        ("unknown_dataset", "body/dataset")
    ]
    missing = get_model.sync("best", client=client)
    assert isinstance(missing, Problem)
    assert missing.code == "unknown_model"


def upload_datasets(client: AuthenticatedClient, pictures: Path) -> Dataset:
    """Many files with numbers and JSON beside them."""
    with (pictures / "clean.png").open("rb") as clean:
        corruption = DatasetUploadCorruption.from_dict({"name": "gaussian", "sigma": 0.1})
        sent = DatasetUpload(
            DatasetUploadKind.CLEAN, "one", [File(clean, "a.png")], data_range=255.0, corruption=corruption
        )
        made = create_dataset.sync(client=client, body=sent)
    assert isinstance(made, Dataset), made
    paths = sorted((pictures / "pairs").iterdir())
    opened = [path.open("rb") for path in paths]
    files = [File(file, path.name, "image/png") for path, file in zip(paths, opened, strict=True)]
    pairs = create_dataset.sync(client=client, body=DatasetUpload(DatasetUploadKind.PAIRS, "pairs", files))
    for file in opened:
        file.close()
    assert isinstance(pairs, Dataset), pairs
    assert (pairs.kind, pairs.state) == (DatasetKind.PAIRS, DatasetState.READY)
    assert pairs.counts is not None
    assert pairs.counts.scenes == len(files) // 2
    known = list_datasets.sync(client=client)
    assert not isinstance(known, Problem)
    assert known is not None
    assert [dataset.id for dataset in known.datasets] == [pairs.id, made.id]
    thumbnail = get_dataset_thumbnail.sync(pairs.id, 0, client=client)
    assert isinstance(thumbnail, File)
    assert thumbnail.payload.read().startswith(PNG)
    return pairs


def train(client: AuthenticatedClient, dataset: Dataset) -> TrainJob:
    """A job, made once for its key, polled until it is done."""
    order = TrainJobRequest(
        dataset.id, model=TrainJobRequestModel.SCRATCH, epochs=1, batch_size=8, name="mine", force=True
    )
    made = create_train_job.sync_detailed(client=client, body=order, idempotency_key="python")
    again = create_train_job.sync_detailed(client=client, body=order, idempotency_key="python")
    assert isinstance(made.parsed, TrainJob), made
    assert isinstance(again.parsed, TrainJob)
    assert made.parsed.id == again.parsed.id
    assert made.headers["Location"] == f"/train-jobs/{made.parsed.id}"
    job = made.parsed
    while not job.done:
        found = get_train_job.sync(job.id, client=client, prefer="wait=10")
        assert isinstance(found, TrainJob), found
        job = found
    assert job.state == State.SUCCEEDED, job.error
    assert job.result is not None
    return job


def look_at(client: AuthenticatedClient, job: TrainJob) -> None:
    """All that a training leaves behind."""
    metrics = get_train_job_metrics.sync(job.id, client=client)
    assert isinstance(metrics, JobMetrics)
    assert metrics.history
    samples = list_train_job_samples.sync(job.id, client=client)
    assert isinstance(samples, SampleList)
    sheet = get_train_job_sample.sync(job.id, samples.samples[0].name, client=client)
    assert isinstance(sheet, File)
    assert sheet.payload.read().startswith(PNG)
    plot = get_train_job_plot.sync(job.id, GetTrainJobPlotName.PSNR, GetTrainJobPlotFormat.SVG, client=client)
    assert isinstance(plot, File)
    assert b"<svg" in plot.payload.read()
    events = get_train_job_events.sync(job.id, client=client)
    assert isinstance(events, str)
    assert "event: epoch" in events
    log = get_train_job_log.sync(job.id, client=client)
    assert isinstance(log, str)


def use_the_model(client: AuthenticatedClient, job: TrainJob, pictures: Path) -> None:
    """It is listed, downloaded, and denoises."""
    models = list_models.sync(client=client)
    assert isinstance(models, ModelList)
    found = {model.name: model for model in models.models}
    assert {"scratch", "torch", "mine"} <= set(found)
    assert job.result is not None
    assert found["mine"].sha256 == job.result.sha256
    one = get_model.sync("mine@1", client=client)
    assert isinstance(one, Model)
    file = download_model.sync("mine", client=client)
    assert isinstance(file, File)
    assert len(file.payload.read()) == one.bytes_
    with (pictures / "noisy.png").open("rb") as noisy:
        answer = denoise.sync_detailed(client=client, body=File(noisy), model="mine")
    assert answer.headers["N2N-Model"] == "mine"


def main() -> None:
    address, pictures = sys.argv[1], Path(sys.argv[2])
    with AuthenticatedClient(
        address, token="none is asked for", timeout=Timeout(120), raise_on_unexpected_status=True
    ) as client:
        ready = get_readiness.sync(client=client)
        assert not isinstance(ready, Problem)
        denoise_pictures(client, pictures)
        meet_problems(client, pictures)
        job = train(client, upload_datasets(client, pictures))
        look_at(client, job)
        use_the_model(client, job, pictures)


if __name__ == "__main__":
    main()
