"""Endpoints of a job's outputs: metrics, events, samples, plots and its log."""

import csv
from io import StringIO
from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from n2n_core.training.run_folder import event_log, plots
from n2n_core.training.run_folder.event_log import Event
from service.api.dependencies import FolderDep, JobsDep, SchedulerDep
from service.api.disconnect import run_while_connected
from service.api.examples import EVENTS as SOME_EVENTS
from service.api.examples import LOG, METRICS_TABLE
from service.api.openapi import links, picture, responses, text
from service.api.pools import DATABASE, DRAWING, OUTPUTS
from service.api.train_jobs.events import EventLines, stream
from service.api.train_jobs.schemas import JobMetrics, Sample, SampleGrid, SampleList
from service.http.errors import ProblemError
from service.http.negotiation import PNG, Accept, prefers, sent_as
from service.http.problem_types import BAD_REQUEST, JOB_ID, NOT_ACCEPTABLE, UNKNOWN_JOB, UNKNOWN_SAMPLE
from service.storage import data_folder

CSV, EVENTS, JSON, PLAIN = "text/csv", "text/event-stream", "application/json", "text/plain"
MOST_EVENTS = 5000
"""Reports of steps, and of epochs, that an answer or a plot has; a log may have a million."""

PLOTS = {"png": PNG, "svg": "image/svg+xml"}

router = APIRouter(responses=responses(UNKNOWN_JOB, BAD_REQUEST))

JobId = Annotated[str, Path(description="the job's id", max_length=64, examples=[JOB_ID])]


@router.get(
    "/{job}/metrics",
    response_model=JobMetrics,
    responses={**text("The history", CSV, METRICS_TABLE), **responses(NOT_ACCEPTABLE)},
)
async def get_train_job_metrics(
    request: Request,
    jobs: JobsDep,
    folder: FolderDep,
    job: JobId,
    format: Annotated[
        Literal["json", "csv"] | None, Query(description="takes precedence over Accept")
    ] = None,
    accept: Accept = "*/*",
) -> Response:
    """Get the training history: losses by step, PSNR by epoch."""
    await DATABASE.run(jobs.get, job)
    kind = {"json": JSON, "csv": CSV}[format] if format else prefers(accept, (JSON, CSV))
    if kind is None:
        raise ProblemError(NOT_ACCEPTABLE, f"Accept is {accept!r}, expected {JSON} or {CSV}")
    history = await run_while_connected(request, OUTPUTS.run(_history, folder.job(job)))
    return Response(_table(history), media_type=CSV) if kind == CSV else JSONResponse({"history": history})


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={
        **text("Server-sent events", EVENTS, SOME_EVENTS),
        204: {"description": "The job is done, and you have all events"},
    },
)
async def get_train_job_events(
    jobs: JobsDep,
    folder: FolderDep,
    scheduler: SchedulerDep,
    job: JobId,
    last_event_id: Annotated[
        int, Header(ge=0, description="id of the last event that you have, the number of its line in the log")
    ] = 0,
) -> Response:
    """Stream the log's events and the job's states until the job is done."""
    found = await DATABASE.run(jobs.get, job)
    lines = EventLines(folder.job(job) / event_log.LOG, last_event_id)
    first = await OUTPUTS.run(lines.read)
    if found.done and last_event_id and not first:
        return Response(status_code=204)  # tells a browser not to reconnect
    return StreamingResponse(
        stream(jobs, scheduler, job, lines, first), media_type=EVENTS, headers={"Cache-Control": "no-cache"}
    )


@router.get(
    "/{job}/samples",
    responses={
        200: {
            "links": links(
                ("get_train_job_sample",), job="$request.path.job", name="$response.body#/samples/0/name"
            )
        }
    },
)
async def list_train_job_samples(jobs: JobsDep, folder: FolderDep, job: JobId) -> SampleList:
    """List the sheets of sample pictures before and after denoising, one per epoch."""
    await DATABASE.run(jobs.get, job)
    path = folder.job(job)
    return SampleList(samples=await OUTPUTS.run(_samples, path), grid=await OUTPUTS.run(_grid, path))


@router.get(
    "/{job}/samples/{name}",
    response_class=Response,
    responses={**picture("The sheet", PNG), **responses(UNKNOWN_JOB, UNKNOWN_SAMPLE)},
)
async def get_train_job_sample(
    jobs: JobsDep,
    folder: FolderDep,
    job: JobId,
    name: Annotated[str, Path(description="name in the list of samples", examples=["epoch-0001.png"])],
    accept: Accept = "*/*",
) -> Response:
    """Get a sheet: noisy, denoised and reference side by side, one scene per row."""
    await DATABASE.run(jobs.get, job)
    content = await OUTPUTS.run(_sheet, folder.job(job), name)
    if content is None:
        raise ProblemError(UNKNOWN_SAMPLE, f"job {job} has no sample {name!r}")
    return Response(content, media_type=sent_as(PNG, accept))


@router.get(
    "/{job}/plots/{name}.{format}",
    response_class=Response,
    responses=picture("The plot", *PLOTS.values()),
)
async def get_train_job_plot(
    request: Request,
    jobs: JobsDep,
    folder: FolderDep,
    job: JobId,
    name: Annotated[Literal["loss", "psnr"], Path(description="which curve")],
    format: Annotated[Literal["png", "svg"], Path(description="format of the picture")],
    accept: Accept = "*/*",
) -> Response:
    """Get a plot of the training so far."""
    await DATABASE.run(jobs.get, job)
    content = await run_while_connected(request, DRAWING.run(_draw, folder.job(job), name, format))
    return Response(content, media_type=sent_as(PLOTS[format], accept))


@router.get(
    "/{job}/log",
    response_class=Response,
    responses=text("The log", PLAIN, LOG),
)
async def get_train_job_log(jobs: JobsDep, folder: FolderDep, job: JobId) -> Response:
    """Get the output of the trainer."""
    await DATABASE.run(jobs.get, job)
    path = folder.job(job) / data_folder.LOG
    return (
        FileResponse(path, media_type=PLAIN) if await OUTPUTS.run(path.exists) else Response(media_type=PLAIN)
    )


def _history(folder: FilePath) -> list[Event]:
    """Return the reports of steps and epochs in order. If a resumed run repeats one, the last counts."""
    found = {
        (event["event"], event["step"]): event
        for event in event_log.read(folder, most=MOST_EVENTS)
        if event["event"] in ("step", "epoch")
    }
    return sorted(found.values(), key=lambda event: (event["step"], event["event"] == "epoch"))


def _table(history: list[Event]) -> str:
    """Format the history as CSV with a column for each figure."""
    columns = list(dict.fromkeys(key for event in history for key in event)) or ["event", "time", "step"]
    text = StringIO()
    table = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    table.writeheader()
    table.writerows(history)
    return text.getvalue()


def _samples(folder: FilePath) -> list[Sample]:
    paths = (folder / data_folder.SAMPLES).glob("epoch-*.png")
    found = {int(path.stem.removeprefix("epoch-")): path.name for path in paths}
    href = f"/train-jobs/{folder.name}/{data_folder.SAMPLES}"
    return [Sample(name=found[epoch], epoch=epoch, href=f"{href}/{found[epoch]}") for epoch in sorted(found)]


def _sheet(folder: FilePath, name: str) -> bytes | None:
    """Return a sheet, or None if there is none of this name: a trainer may have removed it just now."""
    if name not in [sample.name for sample in _samples(folder)]:
        return None
    try:
        return (folder / data_folder.SAMPLES / name).read_bytes()
    except FileNotFoundError:
        return None


def _grid(folder: FilePath) -> SampleGrid | None:
    try:
        return SampleGrid.model_validate_json((folder / data_folder.SAMPLES / data_folder.GRID).read_bytes())
    except FileNotFoundError:
        return None


def _draw(folder: FilePath, name: str, format: str) -> bytes:
    history = event_log.read(folder, most=MOST_EVENTS)
    return plots.encode(plots.CURVES[name](history), format)
