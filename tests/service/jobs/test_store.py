"""The contract of the store, on each database."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import pytest
from sqlalchemy import update

from service.exceptions import ConflictError, LeaseLostError, UnknownDatasetError, UnknownJobError
from service.jobs.records import Failure, Job, Progress
from service.jobs.store import JobStore
from service.jobs.transitions import move
from service.storage.database import Database
from service.storage.dataset_store import DatasetStore
from service.storage.ids import uuid7
from service.storage.job_states import ACTIVE, ENDED, TRANSITIONS, State
from service.storage.schema import jobs

SPEC = {"model": "scratch", "epochs": 2}
HALF = Progress(step=5, total_steps=10, phase="training", eta_seconds=3.5, metrics={"psnr": 25.0})
DEAD = Failure("crashed", "the trainer was killed by SIGKILL", "…the end of the log")


def queue(store: JobStore, dataset: str) -> Job:
    return store.create(SPEC, "mine", dataset)


def claim(store: JobStore, lease: float = 30) -> Job:
    job = store.claim("here", 99, lease)
    assert job
    return job


def put(store: JobStore, job_id: str, state: State) -> None:
    with store.database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(state=state))


def test_a_new_job_is_queued_as_it_was_sent(store: JobStore, dataset: str) -> None:
    job = queue(store, dataset)
    assert (job.state, job.spec, job.name, job.dataset_id) == ("queued", SPEC, "mine", dataset)
    assert (job.attempt, job.max_attempts, job.fence, job.done) == (0, 3, 0, False)
    assert abs(job.created_at - time.time()) < 5
    assert store.get(job.id) == job


def test_creating_under_an_id_twice_makes_one_job(store: JobStore, dataset: str) -> None:
    first, second = (store.create(SPEC, "mine", dataset, job_id="x") for _ in range(2))
    assert first == second


def test_a_dataset_that_is_missing_or_not_ready_is_refused(store: JobStore, database: Database) -> None:
    with pytest.raises(UnknownDatasetError, match="unknown dataset 'no'"):
        store.create(SPEC, "mine", "no")
    raw = DatasetStore(database).create("raw", "pairs")
    with pytest.raises(ConflictError, match="is receiving, expected a ready one"):
        store.create(SPEC, "mine", raw.id)


def test_unknown_jobs_are_named(store: JobStore) -> None:
    for method in (store.get, store.cancel, store.resume, store.delete):
        with pytest.raises(UnknownJobError, match=r"^unknown job 'no'$"):
            method("no")
        with pytest.raises(UnknownJobError):
            method("\0\ud800")  # which no text of a database can hold


def test_pages_have_every_job_once_the_newest_first(store: JobStore, dataset: str) -> None:
    ids = sorted((queue(store, dataset).id for _ in range(5)), reverse=True)
    first, after = store.page(size=2)
    second, later = store.page(size=2, after=after)
    last, end = store.page(size=2, after=later)
    assert [job.id for job in first + second + last] == ids
    assert end is None
    claim(store)
    assert [job.id for job in store.page([State.STARTING])[0]] == [ids[-1]]
    assert len(store.page(list(State))[0]) == 5


def test_the_oldest_job_is_claimed_first_up_to_the_limit(store: JobStore, dataset: str) -> None:
    ids = sorted(queue(store, dataset).id for _ in range(4))
    first, second = store.claim("here", 2, 30), store.claim("here", 2, 30)
    assert first
    assert second
    assert [first.id, second.id] == ids[:2]
    assert (first.state, first.attempt, first.fence, first.host) == ("starting", 1, 1, "here")
    assert first.lease_until == pytest.approx(first.updated_at + 30, abs=1)
    assert store.claim("here", 2, 30) is None
    assert store.claim("there", 2, 30)
    assert sorted(job.id for job in store.expiring("here", 60)) == ids[:2]


def test_of_many_claimants_each_job_has_one(store: JobStore, dataset: str) -> None:
    ids = {queue(store, dataset).id for _ in range(12)}
    with ThreadPoolExecutor(6) as pool:
        claimed = list(pool.map(lambda host: store.claim(host, 99, 30), [f"host{n % 3}" for n in range(20)]))
    found = [job.id for job in claimed if job]
    assert sorted(found) == sorted(ids)


def test_the_limit_holds_among_claimants_at_once(store: JobStore, dataset: str) -> None:
    for _ in range(8):
        queue(store, dataset)
    with ThreadPoolExecutor(6) as pool:
        claimed = list(pool.map(lambda _: store.claim("here", 3, 30), range(12)))
    assert sum(job is not None for job in claimed) == 3


def test_a_heartbeat_renews_the_lease_and_tells_the_progress(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    job = claim(store, lease=0.01)
    store.running(job.id, job.fence, "cpu")
    assert store.heartbeat(job.id, job.fence, 30, HALF) is State.RUNNING
    after = store.get(job.id)
    assert after.lease_until
    assert after.lease_until > time.time() + 20
    assert (after.step, after.total_steps, after.phase, after.eta_seconds) == (5, 10, "training", 3.5)
    assert (after.metrics, after.device) == ({"psnr": 25.0}, "cpu")
    assert store.expired() == []


def test_a_lease_runs_out_by_the_databases_clock(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    job = claim(store, lease=60)
    assert store.expired() == []
    assert store.lost(job, DEAD, expired=True) is None
    assert store.renew(job, 0.01)
    while not store.expired():
        time.sleep(0.01)
    assert [one.id for one in store.expired()] == [job.id]
    after = store.lost(job, DEAD, expired=True)
    assert after
    assert after.state is State.QUEUED


def test_a_stale_fence_can_write_nothing(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    old = claim(store)
    store.lost(old, DEAD)
    for _ in range(2):  # while the job is queued, and while another attempt has it
        before = store.get(old.id)
        store.running(old.id, old.fence, "stale")
        for write in (
            lambda: store.heartbeat(old.id, old.fence, 30, HALF),
            lambda: store.fail(old.id, old.fence, DEAD, HALF),
            lambda: store.stopped(old.id, old.fence, HALF),
        ):
            with pytest.raises(LeaseLostError, match="fence 1 is stale"):
                write()
        with pytest.raises(LeaseLostError), store.database.write() as connection:
            store.succeed(connection, old.id, old.fence, HALF, 1, "0" * 64)
        assert store.lost(old, DEAD) is None
        assert store.get(old.id) == before
        if before.state is State.QUEUED:
            assert claim(store).fence == old.fence + 1


def test_a_dead_attempt_is_repeated_twice_and_then_the_job_fails(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    for attempt in (1, 2):
        job = claim(store)
        assert job.attempt == attempt
        after = store.lost(job, DEAD, has_checkpoint=True)
        assert after
        assert after.state is State.QUEUED
    failed = store.lost(claim(store), DEAD)
    assert failed
    assert (failed.state, failed.error_code, failed.log_tail) == ("failed", "crashed", DEAD.log_tail)
    assert failed.has_checkpoint
    assert failed.finished_at
    assert failed.lease_until is None


def test_a_permanent_failure_is_not_repeated(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    queue(store, dataset)
    told, found = claim(store), claim(store)
    store.fail(told.id, told.fence, Failure("diverged", "lr is 9"), HALF)
    store.lost(found, Failure("disk_full", "no space"), permanent=True)
    assert [store.get(job.id).error_code for job in (told, found)] == ["diverged", "disk_full"]
    assert all(store.get(job.id).done for job in (told, found))


def test_a_queued_job_is_cancelled_at_once(store: JobStore, dataset: str) -> None:
    job = store.cancel(queue(store, dataset).id)
    assert job.state is State.CANCELLED
    assert store.claim("here", 9, 30) is None
    assert store.cancel(job.id) == job


def test_a_running_job_learns_of_it_by_its_heartbeat(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    job = claim(store)
    assert store.cancel(job.id).state is State.CANCELLING
    store.running(job.id, job.fence, "cpu")
    assert store.heartbeat(job.id, job.fence, 30, HALF) is State.CANCELLING
    assert [one.id for one in store.overdue("here", 0)] == [job.id]
    assert store.overdue("here", 60) == []
    assert store.overdue("there", 0) == []
    assert store.stopped(job.id, job.fence, HALF).state is State.CANCELLED


def test_a_trainer_that_dies_while_it_is_cancelled_is_cancelled(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    job = claim(store)
    store.cancel(job.id)
    after = store.lost(job, DEAD)
    assert after
    assert after.state is State.CANCELLED


def test_what_has_ended_cannot_be_cancelled(store: JobStore, dataset: str) -> None:
    job = queue(store, dataset)
    for state in (State.SUCCEEDED, State.FAILED):
        put(store, job.id, state)
        with pytest.raises(ConflictError, match=f"has {state}: it cannot be cancelled"):
            store.cancel(job.id)


def test_a_trainer_that_is_told_to_stop_loses_no_attempt(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    job = claim(store)
    after = store.stopped(job.id, job.fence, HALF)
    assert (after.state, after.attempt, after.step) == ("queued", 0, 5)
    assert claim(store).fence == job.fence + 1


def test_a_job_with_a_checkpoint_is_resumed_with_all_attempts(store: JobStore, dataset: str) -> None:
    job = queue(store, dataset)
    for _ in range(3):
        store.lost(claim(store), DEAD, has_checkpoint=True)
    again = store.resume(job.id)
    assert (again.state, again.attempt, again.error_code, again.log_tail) == ("queued", 0, None, None)
    assert (again.finished_at, again.cancel_requested_at) == (None, None)
    assert claim(store).fence == 4


def test_what_cannot_be_resumed_says_why(store: JobStore, dataset: str) -> None:
    job = queue(store, dataset)
    with pytest.raises(ConflictError, match="is queued, expected a failed or a cancelled one"):
        store.resume(job.id)
    store.cancel(job.id)
    with pytest.raises(ConflictError, match="has no checkpoint"):
        store.resume(job.id)
    with store.database.write() as connection:
        connection.execute(update(jobs).values(has_checkpoint=True))
    DatasetStore(store.database).delete(dataset)
    with pytest.raises(ConflictError, match="was deleted"):
        store.resume(job.id)


def test_the_end_of_a_deleted_jobs_trainer_changes_nothing(store: JobStore, dataset: str) -> None:
    queue(store, dataset)
    job = claim(store)
    store.fail(job.id, job.fence, DEAD, HALF)
    store.delete(job.id)
    assert store.lost(job, DEAD) is None


def test_only_a_job_that_has_ended_is_deleted(store: JobStore, dataset: str) -> None:
    job = queue(store, dataset)
    with pytest.raises(ConflictError, match="is queued: cancel it first"):
        store.delete(job.id, also=lambda: pytest.fail("done too early"))
    store.cancel(job.id)
    store.delete(job.id)
    with pytest.raises(UnknownJobError):
        store.get(job.id)


def test_every_transition_of_the_table_and_no_other_is_made(store: JobStore, dataset: str) -> None:
    job = queue(store, dataset)
    for source, target in product(State, State):
        put(store, job.id, source)
        with store.database.write() as connection:
            moved = move(connection, job.id, State, target)
        assert (moved is not None) == (target in TRANSITIONS[source]), f"{source} to {target}"
        assert store.get(job.id).state is (target if moved else source)


def test_cancelling_and_claiming_at_once_never_leaves_a_job_between(store: JobStore, dataset: str) -> None:
    ids = [queue(store, dataset).id for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        claims = [pool.submit(store.claim, "here", 99, 30) for _ in ids]
        states = list(pool.map(lambda job_id: store.cancel(job_id).state, ids))
    claimed = {job.id for job in (future.result() for future in claims) if job}
    for job_id, state in zip(ids, states, strict=True):
        assert state is (State.CANCELLING if job_id in claimed else State.CANCELLED)
        assert store.get(job_id).state is state


def test_datasets_in_use_stay(store: JobStore, database: Database, dataset: str) -> None:
    datasets, job = DatasetStore(database), queue(store, dataset)
    assert datasets.in_use(dataset)
    with pytest.raises(ConflictError, match=r"is used by 1 unfinished job\(s\)"):
        datasets.delete(dataset)
    store.cancel(job.id)
    datasets.delete(dataset)
    assert store.get(job.id).dataset_id is None
    with pytest.raises(UnknownDatasetError, match="unknown dataset"):
        datasets.get(dataset)


def test_so_does_the_one_that_validates(store: JobStore, database: Database, dataset: str) -> None:
    datasets = DatasetStore(database)
    other = datasets.create("held out", "pairs", state="ready").id
    job = store.create({}, "mine", dataset, validation_dataset_id=other)
    with pytest.raises(ConflictError, match="is used by 1 unfinished job"):
        datasets.delete(other)
    half = replace(HALF, has_checkpoint=True)
    store.fail(job.id, claim(store).fence, DEAD, half)
    datasets.delete(other)
    assert store.get(job.id).validation_dataset_id == other
    with pytest.raises(ConflictError, match="was deleted"):
        store.resume(job.id)


def test_datasets_are_kept_listed_and_changed_in_their_states_only(database: Database) -> None:
    datasets = DatasetStore(database)
    made = [datasets.create(f"set{n}", "bursts", dataset_id=f"id{n}") for n in range(3)]
    assert datasets.create("set0", "bursts", dataset_id="id0") == made[0]
    first, after = datasets.page(size=2)
    assert [one.id for one in first + datasets.page(after=after)[0]] == ["id2", "id1", "id0"]
    ready = datasets.update("id1", expected=["receiving"], state="ready", bytes=2**40, counts={"pairs": 7})
    assert (ready.state, ready.bytes, ready.counts) == ("ready", 2**40, {"pairs": 7})
    with pytest.raises(ConflictError, match="dataset id1 is ready, expected receiving"):
        datasets.update("id1", expected=["receiving"], state="checking")


def test_ids_sort_by_their_time() -> None:
    early = uuid7()
    time.sleep(0.002)
    late = uuid7()
    assert early < late
    assert early[14] == "7"
    assert len({uuid7() for _ in range(1000)}) == 1000


def test_active_and_ended_states_leave_only_the_queue() -> None:
    assert set(State) - ACTIVE - ENDED == {State.QUEUED}
