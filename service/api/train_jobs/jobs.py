"""Endpoints of training jobs: create, watch, cancel, resume and delete them."""

import hashlib
import re
from time import monotonic
from typing import Annotated, Any

from anyio import sleep
from fastapi import APIRouter, Body, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from service.api.dependencies import (
    FolderDep,
    JobsDep,
    OwnerDep,
    SchedulerDep,
    SettingsDep,
    StateDep,
    SupervisorDep,
)
from service.api.disconnect import run_while_connected
from service.api.idempotency import run_idempotently
from service.api.openapi import ALWAYS, links, responses
from service.api.paging import PageSize, PageToken
from service.api.pools import DATABASE, OUTPUTS
from service.api.train_jobs import outputs
from service.api.train_jobs.outputs import JobId
from service.api.train_jobs.schemas import TrainJob, TrainJobList, TrainJobRequest, describe
from service.api.train_jobs.submission import submit
from service.http.errors import retry_after
from service.http.problem_types import (
    BAD_JSON,
    BAD_NAME,
    BAD_RECIPE,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    CONFLICT,
    DATASET_REFUSED,
    JOBS_EXCEEDED,
    KEY_IN_FLIGHT,
    KEY_REUSED,
    NO_SUCH_BASE,
    NO_SUCH_DATASET,
    OVERLOADED,
    READ_TIMEOUT,
    TOTAL_TIMEOUT,
    UNKNOWN_JOB,
)
from service.inference.scheduler import Scheduler
from service.jobs.records import Job
from service.jobs.store import JobStore
from service.jobs.supervisor import delete_job
from service.settings.server import Settings
from service.storage import job_states

MAX_WAIT, POLL_SECONDS = 60, 0.5
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,9})", re.IGNORECASE)
_JOB: dict[str, Any] = {"model": TrainJob}
_FOUND = responses(UNKNOWN_JOB, BAD_REQUEST)
_NEXT = links(
    (
        "get_train_job", "get_train_job_metrics", "get_train_job_events", "list_train_job_samples",
        "get_train_job_log", "cancel_train_job", "resume_train_job", "delete_train_job",
    ),
    job="$response.body#/id",
) | links(("get_train_job_plot",), job="$response.body#/id", name="loss", format="png")  # fmt: skip

router = APIRouter(prefix="/train-jobs", tags=["train jobs"], responses=ALWAYS)
router.include_router(outputs.router)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="requests with the same key within a day create only one job",
        examples=["5c6f0d0e-first-try"],
    ),
]


@router.post(
    "",
    status_code=202,
    response_model=TrainJob,
    responses={
        202: {"links": _NEXT},
        **responses(
            BAD_JSON, CONFLICT, KEY_IN_FLIGHT, READ_TIMEOUT, TOTAL_TIMEOUT, BODY_TOO_LARGE,
            BAD_REQUEST, BAD_RECIPE, BAD_NAME,
            DATASET_REFUSED, NO_SUCH_DATASET, NO_SUCH_BASE, KEY_REUSED, OVERLOADED, JOBS_EXCEEDED,
        ),
    },
)  # fmt: skip
async def create_train_job(
    state: StateDep,
    owner: OwnerDep,
    request: Annotated[TrainJobRequest, Body()],
    idempotency_key: Key = None,
) -> Response:
    """Train a model on a dataset; `{"dataset": "…"}` is enough. Poll `Location` for its progress."""

    def make(job_id: str | None) -> tuple[int, Any]:
        return 202, describe(submit(state, request, job_id, owner)).model_dump(mode="json")

    payload, keys = request.model_dump(), state.idempotency_keys
    status, body = await DATABASE.run(
        run_idempotently, keys, idempotency_key, "POST /train-jobs", payload, make, owner
    )
    state.supervisor.wake()
    return JSONResponse(body, status, {"Location": f"/train-jobs/{body['id']}"} | _retry(state.settings))


@router.get("", responses=responses(BAD_REQUEST))
async def list_train_jobs(
    jobs: JobsDep,
    page_size: PageSize = 50,
    page_token: PageToken = None,
    wanted: Annotated[
        list[job_states.State] | None,
        Query(alias="state", description="only jobs in this state; may be repeated"),
    ] = None,
) -> TrainJobList:
    """List the jobs, newest first."""
    found, token = await DATABASE.run(jobs.page, wanted or (), page_size, page_token)
    return TrainJobList(jobs=[describe(job) for job in found], next_page_token=token)


@router.get("/{job}", response_model=TrainJob, responses={304: {"description": "Not Modified"}, **_FOUND})
async def get_train_job(
    request: Request,
    jobs: JobsDep,
    scheduler: SchedulerDep,
    settings: SettingsDep,
    job: JobId,
    if_none_match: Annotated[str | None, Header(description="`ETag` of the response that you have")] = None,
    prefer: Annotated[
        str | None,
        Header(description="`wait=30`: respond after 30 seconds, or as soon as the job is done or changes"),
    ] = None,
) -> Response:
    """Get a job. Without `If-None-Match`, `Prefer: wait` waits until the job is done."""
    asked = _WAIT.search(prefer or "")
    seconds = min(int(asked[1]), MAX_WAIT) if asked else 0
    found = await run_while_connected(request, _await(jobs, scheduler, job, seconds, if_none_match))
    answer = _answer(settings, found)
    if asked:
        answer.headers["Preference-Applied"] = f"wait={seconds}"
    if _matches(if_none_match, answer.headers["ETag"]):
        return Response(
            status_code=304, headers={k: v for k, v in answer.headers.items() if k not in _OF_BODY}
        )
    return answer


@router.post(
    "/{job}/cancel",
    status_code=202,
    response_model=TrainJob,
    responses={200: _JOB, **_FOUND, **responses(CONFLICT)},
)
async def cancel_train_job(
    jobs: JobsDep, supervisor: SupervisorDep, settings: SettingsDep, job: JobId
) -> Response:
    """Stop a job at its next checkpoint: 202 while it is stopping, 200 once it is cancelled."""
    found = await DATABASE.run(jobs.cancel, job)
    supervisor.wake()
    return _answer(settings, found, 200 if found.done else 202)


@router.post(
    "/{job}/resume",
    status_code=202,
    response_model=TrainJob,
    responses={202: {"links": _NEXT}, **_FOUND, **responses(CONFLICT, JOBS_EXCEEDED)},
)
async def resume_train_job(
    jobs: JobsDep, supervisor: SupervisorDep, settings: SettingsDep, job: JobId
) -> Response:
    """Resume a failed or cancelled job from its checkpoint."""
    found = await DATABASE.run(jobs.resume, job)
    supervisor.wake()
    answer = _answer(settings, found, 202)
    answer.headers["Location"] = f"/train-jobs/{job}"
    return answer


@router.delete("/{job}", status_code=204, responses=_FOUND | responses(CONFLICT))
async def delete_train_job(jobs: JobsDep, folder: FolderDep, job: JobId) -> Response:
    """Delete a finished job and all its files except its model."""
    await OUTPUTS.run(delete_job, jobs, folder, job)
    return Response(status_code=204)


_OF_BODY = {"content-length", "content-type"}


def _answer(settings: Settings, job: Job, status: int = 200) -> Response:
    body = describe(job).model_dump_json().encode()
    headers = {"ETag": _tag(body), "Cache-Control": "no-cache"}
    return Response(body, status, headers | ({} if job.done else _retry(settings)), "application/json")


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _retry(settings: Settings) -> dict[str, str]:
    """Return a ``Retry-After`` of one heartbeat, as nothing changes between two heartbeats."""
    return retry_after(settings.train_heartbeat)


def _matches(header: str | None, tag: str) -> bool:
    """Return whether ``If-None-Match`` names the tag (RFC 9110, section 13.1.2)."""
    given = [name.strip().removeprefix("W/") for name in (header or "").split(",")]
    return tag in given or given == ["*"]


async def _await(jobs: JobStore, scheduler: Scheduler, job_id: str, seconds: float, known: str | None) -> Job:
    """Return the job once it is done, or no longer matches the ETag ``known``, or after ``seconds``."""
    deadline = monotonic() + seconds
    while True:
        job = await DATABASE.run(jobs.get, job_id)
        changed = known is not None and not _matches(known, _tag(describe(job).model_dump_json().encode()))
        left = deadline - monotonic()
        if job.done or changed or left <= 0 or scheduler.draining:
            return job
        await sleep(min(POLL_SECONDS, left))
