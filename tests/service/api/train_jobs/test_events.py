"""A job's stream of events, as it grows."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from n2n_core.training.run_folder.event_log import LOG, EventLog
from service.api.dependencies import State
from service.api.train_jobs import events
from service.api.train_jobs.events import EventLines, stream
from service.app import create_app
from service.jobs.records import Job, Progress
from service.settings.server import Settings


def named(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(number, json.loads(line)["event"]) for number, line in lines]


def test_lines_are_read_once_and_whole(tmp_path: Path) -> None:
    lines, log = EventLines(tmp_path / LOG), EventLog(tmp_path, lambda event: None)
    assert lines.read() == []
    log.emit("start")
    log.emit("step")
    assert named(lines.read()) == [(1, "start"), (2, "step")]
    with (tmp_path / LOG).open("a") as file:
        file.write('{"event": "cut sh')  # as by a full disk
    assert lines.read() == []
    EventLog(tmp_path, lambda event: None).emit("end")
    assert named(lines.read()) == [(3, "end")]
    assert lines.read() == []


def test_lines_begin_after_the_last_one_that_is_known(tmp_path: Path) -> None:
    log = EventLog(tmp_path, lambda event: None)
    for name in ("start", "step", "epoch"):
        log.emit(name)
    lines = EventLines(tmp_path / LOG, after=2)
    assert named(lines.read()) == [(3, "epoch")]
    beyond = EventLines(tmp_path / LOG, after=4)
    for name in ("step", "end"):
        log.emit(name)
    assert named(beyond.read()) == [(5, "end")]


def test_a_long_log_is_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "READ_BYTES", 200)
    log = EventLog(tmp_path, lambda event: None)
    for number in range(20):
        log.emit("step", step=number)
    lines = EventLines(tmp_path / LOG, after=9)
    pieces = []
    while new := lines.read():
        assert sum(len(line) for _, line in new) <= 200
        pieces += new
    assert [number for number, _ in pieces] == list(range(10, 21))


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """Of an app that starts no trainers."""
    data = tmp_path_factory.mktemp("data")
    state: State = create_app(Settings(data=data, device="cpu", train_concurrency=0)).state.n2n
    state.jobs.database.migrate()
    yield state
    state.loaded_models.close()
    state.jobs.database.close()


@pytest.fixture
def job(state: State) -> Job:
    """One that a trainer holds."""
    made = state.datasets.create("flat", "pairs")
    state.datasets.update(made.id, state="ready")
    job = state.jobs.create({}, "flat", made.id)
    claimed = state.jobs.claim("here", 9, 60)
    assert claimed
    assert claimed.id == job.id
    return claimed


async def take(source: AsyncIterator[bytes], count: int) -> list[str]:
    return [(await anext(source)).decode() for _ in range(count)]


@pytest.mark.anyio
async def test_a_stream_follows_the_job_and_ends_with_it(
    state: State, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.05)
    folder = state.folder.job(job.id)
    folder.mkdir(parents=True)
    log = EventLog(folder, lambda event: None)
    source = stream(state.jobs, state.pipeline.scheduler, job.id, EventLines(folder / LOG), [])
    first, beat = await take(source, 2)
    assert first.startswith("event: state\n")
    assert '"state":"starting"' in first
    assert beat.startswith(":")
    log.emit("start")
    while (line := (await take(source, 1))[0]).startswith(":"):
        continue
    assert line.startswith("event: start\ndata: ")
    assert line.endswith("\nid: 1\n\n")
    state.jobs.cancel(job.id)
    state.jobs.stopped(job.id, job.fence, Progress())
    rest = [part.decode() async for part in source]
    assert [part for part in rest if not part.startswith(":")][-1].count('"state":"cancelled"') == 1


@pytest.mark.anyio
async def test_a_stream_ends_when_its_job_is_deleted(state: State, job: Job) -> None:
    state.jobs.cancel(job.id)
    state.jobs.stopped(job.id, job.fence, Progress())
    state.jobs.delete(job.id)
    rest = stream(state.jobs, state.pipeline.scheduler, job.id, EventLines(Path("none")), [])
    assert [part async for part in rest] == []
