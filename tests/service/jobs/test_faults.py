"""Faults: real trainings in real processes, and real signals."""

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator

from n2n_core.datasets.dataset import MANIFEST
from n2n_core.datasets.importing.importer import import_dataset
from n2n_core.datasets.pairs import Pairs, save_pairs
from n2n_core.image.rounding import to_bytes
from n2n_core.models import weights
from n2n_core.training import loop
from n2n_core.training.run_folder import checkpoints
from service.jobs.launcher import ProcessLauncher
from service.jobs.records import Failure, Job
from service.jobs.store import JobStore
from service.jobs.supervisor import Supervisor, delete_job, open_store
from service.settings.jobs import JobSettings
from service.storage.data_folder import CHECKPOINT, DataFolder, lock_holder
from service.storage.dataset_store import DatasetStore
from service.storage.job_states import ENDED, State
from service.storage.model_catalogue import ModelCatalogue

BATCHES = 4  # of an epoch
PATIENCE = 240  # seconds: on a busy machine a trainer, of low priority, starts late
SHORT, LONG = 2, 100_000
TRAINER = ["-m", "service.jobs.trainer"]


def write_dataset(folder: Path, count: int, size: int) -> None:
    """Pairs of pictures of one colour each, with Gaussian noise."""
    generator = Generator().manual_seed(count)
    colours = (torch.rand(count, 3, 1, 1, generator=generator) * 0.6 + 0.2).expand(count, 3, size, size)
    noisy = [to_bytes(colours + 0.1 * torch.randn(colours.shape, generator=generator)) for _ in range(2)]
    with tempfile.TemporaryDirectory() as source:
        save_pairs(Path(source) / "pairs.pkl", Pairs(noisy[0], noisy[1]))
        import_dataset(Path(source) / "pairs.pkl", "pairs", folder)


class Place:
    """A data folder with a dataset, and what acts on it."""

    def __init__(self, root: Path, database: str | None = None) -> None:
        self.settings = JobSettings(
            data=root,
            database=database,
            train_heartbeat=0.2,
            train_lease=3,
            train_threads=1,
            train_concurrency=2,
        )
        self.store: JobStore = open_store(self.settings)
        self.folder = DataFolder(root)
        self.folder.make()
        self.catalogue = ModelCatalogue(self.store.database, self.folder)
        self.supervisors: list[Supervisor] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.dataset = self.add_dataset(71, 8)

    def add_dataset(self, count: int, size: int) -> str:
        datasets = DatasetStore(self.store.database)
        made = datasets.create("flat", "pairs")
        write_dataset(self.folder.dataset(made.id), count, size)
        return datasets.update(made.id, state="ready").id

    def submit(self, epochs: int, dataset: str | None = None, **spec: Any) -> str:
        recipe = {"model": "scratch", "batch_size": 16, "epochs": epochs, "schedule": "constant", **spec}
        return self.store.create(recipe, "mine", dataset or self.dataset).id

    def supervise(self, **options: Any) -> Supervisor:
        supervisor = Supervisor(self.settings, self.store, tick_seconds=0.1, **options).start()
        self.supervisors.append(supervisor)
        return supervisor

    def supervise_in_a_process(self) -> subprocess.Popen[bytes]:
        environment = ProcessLauncher(self.settings).environment
        process = subprocess.Popen([sys.executable, "-m", "service.jobs"], env=environment)
        self.processes.append(process)
        return process

    def run_trainer(self, job: Job, fence: int) -> int:
        environment = ProcessLauncher(self.settings).environment
        command = [sys.executable, *TRAINER, job.id, str(fence)]
        return subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE).returncode

    def wait(self, job_id: str, until: Callable[[Job], bool]) -> Job:
        deadline = time.monotonic() + PATIENCE
        while not until(job := self.store.get(job_id)):
            assert time.monotonic() < deadline, f"waited in vain: {job}"
            time.sleep(0.05)
        return job

    def wait_end(self, job_id: str) -> Job:
        return self.wait(job_id, lambda job: job.state in ENDED)

    def wait_checkpoint(self, job_id: str, attempt: int = 1) -> Job:
        running = State.RUNNING, attempt, True
        return self.wait(job_id, lambda job: (job.state, job.attempt, job.has_checkpoint) == running)

    def saved_step(self, job_id: str) -> int:
        """The step of the checkpoint on disk. The job's own step may be ahead of it."""
        state = checkpoints.load(self.folder.job(job_id))
        return int(state["epoch"]) * BATCHES + int(state["batch"])

    def trainer(self, job_id: str) -> int:
        pid = lock_holder(self.folder.job(job_id))
        assert pid
        return pid

    def kill(self, job_id: str) -> int:
        pid = self.trainer(job_id)
        os.kill(pid, signal.SIGKILL)
        return pid

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for supervisor in self.supervisors:
            supervisor.close()
            for _, handle in supervisor.handles.values():
                handle.stop(force=True)
                while handle.poll() is None:
                    time.sleep(0.01)
        self.store.database.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


def wait_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_job_becomes_a_model_with_its_lineage(place: Place) -> None:
    job_id = place.submit(SHORT)
    place.supervise()
    job = place.wait_end(job_id)
    assert (job.state, job.attempt, job.step, job.total_steps) == ("succeeded", 1, 8, 8), job
    assert (job.phase, job.eta_seconds) == ("succeeded", None)
    assert job.metrics["psnr_estimate"] > 0
    version = place.catalogue.resolve("mine")
    assert (version.version, version.sha256) == (job.result_version, job.result_sha256)
    assert (version.source, version.lineage["job"]) == ("trained", job_id)
    assert version.lineage["dataset"] == place.dataset
    assert weights.sha256(place.catalogue.path(version)) == version.sha256
    assert version.metrics["psnr_estimate"] == job.metrics["psnr_estimate"]
    assert not list(place.folder.root.rglob(".*.tmp"))


def test_a_killed_trainer_is_resumed_twice_and_then_the_job_fails(place: Place) -> None:
    job_id = place.submit(LONG)
    place.supervise()
    steps = []
    for attempt in (1, 2, 3):
        place.wait_checkpoint(job_id, attempt)
        steps.append(place.saved_step(job_id))
        place.kill(job_id)
    assert steps == sorted(steps)  # a trainer may be killed before it has come any further
    job = place.wait_end(job_id)
    assert (job.state, job.error_code, job.attempt) == ("failed", "crashed", 3)
    assert job.error_detail
    assert job.error_detail.startswith("the trainer was killed by SIGKILL")
    assert job.log_tail
    assert f"attempt 3 of 3 at job {job_id}" in job.log_tail
    starts = [event for event in log(place, job_id) if event["event"] == "start"]
    assert [start["step"] > 0 for start in starts] == [False, True, True]
    assert all(start["step"] >= step for start, step in zip(starts[1:], steps, strict=False))
    assert place.catalogue.list_served() == []
    assert checkpoints.load(place.folder.job(job_id))


@pytest.mark.slow
def test_an_endless_job_makes_way_for_another_owners(place: Place) -> None:
    place.settings = place.settings.model_copy(update={"train_slice": 0.1, "train_concurrency": 1})
    endless = place.submit(LONG)
    place.supervise()
    place.wait_checkpoint(endless)
    recipe = place.store.get(endless).spec | {"epochs": SHORT}
    other = place.store.create(recipe, "other", place.dataset, owner="other")
    assert place.wait_end(other.id).state is State.SUCCEEDED
    job = place.wait(endless, lambda job: job.state is State.RUNNING)
    assert (job.attempt, job.error_code) == (1, None)
    steps = [event["step"] for event in log(place, endless) if event["event"] in ("stopped", "start")]
    assert steps[1] > 0
    assert steps[2] == steps[1]


@pytest.mark.slow
def test_a_killed_trainer_is_resumed_and_succeeds(place: Place) -> None:
    job_id = place.submit(60)
    place.supervise()
    place.wait_checkpoint(job_id)
    place.kill(job_id)
    job = place.wait_end(job_id)
    assert (job.state, job.attempt, job.step) == ("succeeded", 2, 240)
    starts = [event for event in log(place, job_id) if event["event"] == "start"]
    assert starts[1]["step"] > 0


@pytest.mark.slow
def test_on_postgresql_a_killed_trainer_is_resumed_too(postgresql: str, tmp_path: Path) -> None:
    place = Place(tmp_path, postgresql)
    try:
        job_id = place.submit(60)
        place.supervise()
        place.wait_checkpoint(job_id)
        place.kill(job_id)
        job = place.wait_end(job_id)
        assert (job.state, job.attempt, job.fence) == ("succeeded", 2, 2)
        assert place.catalogue.resolve(f"mine@{job.result_version}").lineage["job"] == job_id
    finally:
        place.close()


@pytest.mark.slow  # it waits for SQLite's patience
def test_a_trainer_without_its_database_gives_up_with_its_lease(place: Place) -> None:
    job_id = place.submit(LONG)
    place.supervise()
    place.wait_checkpoint(job_id)
    pid = place.trainer(job_id)
    with place.store.database.write():  # nobody else writes now
        wait_gone(pid)
    assert place.wait_checkpoint(job_id, attempt=2).fence == 2


def test_a_trainer_outlives_its_killed_supervisor_and_publishes(place: Place) -> None:
    supervisor = place.supervise_in_a_process()
    job_id = place.submit(60)
    place.wait_checkpoint(job_id)
    pid = place.trainer(job_id)
    supervisor.kill()
    supervisor.wait()
    assert place.trainer(job_id) == pid
    place.supervise()  # it leaves the trainer alone
    job = place.wait_end(job_id)
    assert (job.state, job.attempt, job.fence) == ("succeeded", 1, 1)
    assert len(place.catalogue.list_versions("mine")) == 1


@pytest.mark.slow
def test_when_both_are_killed_the_next_start_resumes(place: Place) -> None:
    supervisor = place.supervise_in_a_process()
    job_id = place.submit(60)
    place.wait_checkpoint(job_id)
    supervisor.kill()
    supervisor.wait()
    place.kill(job_id)
    place.supervise()
    job = place.wait_end(job_id)
    assert (job.state, job.attempt, job.fence) == ("succeeded", 2, 2)


@pytest.mark.slow
def test_two_supervisors_run_each_job_once(place: Place) -> None:
    ids = [place.submit(SHORT) for _ in range(3)]
    for _ in range(2):
        place.supervise_in_a_process()
    for job_id in ids:
        job = place.wait_end(job_id)
        assert (job.state, job.attempt, job.fence) == ("succeeded", 1, 1)
        assert [event["event"] for event in log(place, job_id)].count("start") == 1
    assert len(place.catalogue.list_versions("mine")) == 3


def test_a_trainer_with_a_stale_fence_trains_and_publishes_nothing(place: Place) -> None:
    place.submit(SHORT)
    old = place.store.claim("elsewhere", 1, lease=30)
    assert old
    place.store.lost(old, Failure("crashed", "died"))
    new = place.store.claim("elsewhere", 1, lease=30)
    assert new
    assert place.run_trainer(old, old.fence) == 4
    assert place.store.get(old.id) == new
    assert not (place.folder.job(old.id) / CHECKPOINT).exists()
    assert place.run_trainer(new, new.fence) == 0
    assert place.store.get(new.id).state is State.SUCCEEDED


def test_a_stalled_trainer_is_replaced_and_never_writes_again(place: Place) -> None:
    job_id = place.submit(60)
    place.supervise()
    place.wait_checkpoint(job_id)
    pid = place.trainer(job_id)
    os.kill(pid, signal.SIGSTOP)
    job = place.wait_end(job_id)
    assert (job.state, job.attempt, job.fence) == ("succeeded", 2, 2)
    wait_gone(pid)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who is starved")
def test_a_trainer_that_gets_no_core_is_not_taken_for_dead(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # what is started has that core alone
    try:
        spin = [sys.executable, "-c", "while True: pass"]
        rivals = [subprocess.Popen(spin, start_new_session=True) for _ in range(24)]  # each its own share
        place.processes += rivals
        place.supervise()
    finally:
        os.sched_setaffinity(0, cores)
    job_id = place.submit(SHORT)
    twice = 2 * 2  # a lease is renewed when half of it is left: it would have ended twice
    place.wait(job_id, lambda job: caplog.text.count(f"{job_id}: the trainer gets no core") >= twice)
    for rival in rivals:
        rival.kill()
    job = place.wait_end(job_id)
    assert (job.state, job.attempt, job.fence) == ("succeeded", 1, 1)


@pytest.mark.slow
def test_a_job_is_cancelled_while_it_runs_and_resumed(place: Place) -> None:
    job_id = place.submit(60)
    place.supervise()
    place.wait_checkpoint(job_id)
    place.store.cancel(job_id)
    cancelled = place.wait_end(job_id)
    assert (cancelled.state, cancelled.has_checkpoint) == ("cancelled", True)
    assert place.store.resume(job_id).state is State.QUEUED
    job = place.wait_end(job_id)
    assert (job.state, job.attempt, job.step) == ("succeeded", 1, 240)
    starts = [event["step"] for event in log(place, job_id) if event["event"] == "start"]
    assert starts == [0, cancelled.step]
    delete_job(place.store, place.folder, job_id)
    assert not place.folder.job(job_id).exists()


@pytest.mark.slow
def test_a_trainer_that_does_not_stop_is_killed(place: Place) -> None:
    job_id = place.submit(LONG)
    place.supervise(stop_seconds=0.3, kill_seconds=0.6)
    place.wait_checkpoint(job_id)
    pid = place.trainer(job_id)
    os.kill(pid, signal.SIGSTOP)
    place.store.cancel(job_id)
    assert place.wait_end(job_id).state is State.CANCELLED
    wait_gone(pid)


@pytest.mark.slow
def test_a_trainer_that_is_asked_to_stop_is_queued_with_all_attempts(place: Place) -> None:
    job_id = place.submit(LONG)
    supervisor = place.supervise()
    place.wait_checkpoint(job_id)
    supervisor.close(stop_trainers=True)
    job = place.wait(job_id, lambda job: job.state is State.QUEUED)
    assert (job.attempt, job.has_checkpoint) == (0, True)


@pytest.mark.slow
def test_a_loss_that_is_not_a_number_fails_at_once(place: Place) -> None:
    job_id = place.submit(50, optimizer="sgd", lr=1e38)
    place.supervise()
    job = place.wait_end(job_id)
    assert (job.state, job.error_code, job.attempt) == ("failed", "diverged", 1)
    assert "lr is 1e+38, try a smaller value" in str(job.error_detail)
    assert "DivergedError" in str(job.log_tail)


@pytest.mark.slow
def test_out_of_memory_fails_at_once(place: Place) -> None:
    place.settings = place.settings.model_copy(update={"train_memory": 700 * 2**20})
    job_id = place.submit(SHORT, dataset=place.add_dataset(24, 640), crop=640)
    place.supervise()
    job = place.wait_end(job_id)
    assert (job.state, job.error_code, job.attempt) == ("failed", "out_of_memory", 1), job


def test_a_full_disk_fails_at_once_and_keeps_the_last_checkpoint(place: Place) -> None:
    job_id = place.submit(LONG)
    place.supervise()
    place.wait_checkpoint(job_id)
    size = (place.folder.job(job_id) / CHECKPOINT).stat().st_size
    resource.prlimit(place.trainer(job_id), resource.RLIMIT_FSIZE, (size // 2, size // 2))
    job = place.wait_end(job_id)
    assert (job.state, job.error_code, job.attempt) == ("failed", "disk_full", 1), job
    assert job.has_checkpoint
    assert checkpoints.load(place.folder.job(job_id))["epoch"] > 0
    assert not list(place.folder.job(job_id).glob(".*.tmp"))
    place.store.resume(job_id)
    place.wait_checkpoint(job_id)


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A small disk of its own, mounted on ``folder`` with what is there; the call remounts it."""

    def mount(*options: str) -> None:
        subprocess.run(["mount", *options, folder], check=True, capture_output=True)

    with tempfile.TemporaryDirectory() as aside:
        shutil.copytree(folder, aside, dirs_exist_ok=True)
        try:
            mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"disks cannot be mounted here: {error}")
        try:
            shutil.copytree(aside, folder, dirs_exist_ok=True)
            yield lambda how: mount("-o", f"remount,{how}")
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.slow
def test_on_a_disk_that_fills_the_last_checkpoint_is_kept(place: Place) -> None:
    job_id = place.submit(LONG)
    with disk(place.folder.jobs, "8m"):
        place.supervise()
        place.wait_checkpoint(job_id)
        hog = place.folder.jobs / "hog"
        with suppress(OSError), hog.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        job = place.wait_end(job_id)
        assert (job.state, job.error_code, job.attempt) == ("failed", "disk_full", 1), job
        assert checkpoints.load(place.folder.job(job_id))["epoch"] > 0
        hog.unlink()
        place.store.resume(job_id)
        place.wait_checkpoint(job_id)
        place.store.cancel(job_id)
        place.wait_end(job_id)


@pytest.mark.slow
def test_on_a_disk_that_is_read_only_the_last_checkpoint_is_kept(place: Place) -> None:
    job_id = place.submit(40)
    with disk(place.folder.models, "4m") as remount:
        remount("ro")
        place.supervise()
        job = place.wait_end(job_id)
        assert (job.state, job.error_code, job.attempt) == ("failed", "disk_read_only", 1), job
        assert "Read-only file system" in str(job.error_detail)
        remount("rw")
        place.store.resume(job_id)
        assert place.wait_end(job_id).state is State.SUCCEEDED
    with disk(place.folder.jobs, "8m") as remount:
        remount("ro")
        place.supervise()
        job = place.wait_end(place.submit(SHORT))
        assert (job.state, job.error_code, job.attempt) == ("failed", "disk_read_only", 1), job


def test_a_spec_or_a_dataset_that_cannot_work_fails_at_once(place: Place) -> None:
    wrong, broken = place.submit(SHORT, learning=3), place.add_dataset(4, 8)
    (place.folder.dataset(broken) / MANIFEST).write_bytes(b"no manifest")
    bad = place.submit(SHORT, dataset=broken)
    place.supervise()
    jobs = [place.wait_end(job_id) for job_id in (wrong, bad)]
    assert [(job.error_code, job.attempt) for job in jobs] == [("bad_config", 1), ("bad_data", 1)]
    assert "learning" in str(jobs[0].error_detail)


def log(place: Place, job_id: str) -> list[dict[str, Any]]:
    text = (place.folder.job(job_id) / loop.LOG).read_text()
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
