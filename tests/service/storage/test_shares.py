"""Shares of owners: of the disk and of the queue, on each database, and with many who ask at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from n2n_core.errors import N2NError
from service.exceptions import JobQuotaError, StorageQuotaError
from service.jobs.records import Job
from service.jobs.store import JobStore
from service.storage.database import Database
from service.storage.dataset_store import DatasetStore
from service.storage.job_states import State
from service.storage.receiving import Receiving
from tests.service.jobs.test_store import HALF, SPEC, put


@pytest.fixture
def datasets(database: Database) -> DatasetStore:
    return DatasetStore(database, most_bytes=1000)


@pytest.fixture
def jobs(database: Database) -> JobStore:
    return JobStore(database, most_jobs=3)


def succeeded(calls: int, call: Callable[[], object], error: type[N2NError]) -> int:
    """How many of several calls at once do not raise ``error``."""

    def attempt(_: int) -> bool:
        try:
            call()
        except error:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        return sum(pool.map(attempt, range(calls)))


def test_datasets_of_an_owner_have_a_limit_together(datasets: DatasetStore) -> None:
    datasets.create("one", "pairs", owner="a", bytes=600)
    detail = (
        r"^600 bytes of datasets of this key .* 401 more .* at most 1000 together \(N2N_KEY_DATASET_BYTES\)$"
    )
    with pytest.raises(StorageQuotaError, match=detail):
        datasets.create("two", "pairs", owner="a", bytes=401)
    kept = datasets.create("two", "pairs", owner="a", bytes=400)
    datasets.create("other", "pairs", owner="b", bytes=1000)
    with pytest.raises(StorageQuotaError, match="of requests without a key"):
        datasets.create("without a key", "pairs", bytes=1001)
    assert [datasets.bytes_of(owner) for owner in ("a", "b", "")] == [1000, 1000, 0]
    datasets.delete(kept.id)
    datasets.create("three", "pairs", owner="a", bytes=400)


def test_of_many_datasets_at_once_no_more_are_kept(datasets: DatasetStore) -> None:
    kept = succeeded(12, lambda: datasets.create("x", "pairs", owner="a", bytes=300), StorageQuotaError)
    assert (kept, datasets.bytes_of("a")) == (3, 900)


def test_what_is_being_received_counts_as_it_arrives() -> None:
    receiving = Receiving(1000)
    with receiving.upload("a", 300) as first, receiving.upload("a", 300) as second:
        first.add(400)
        second.check(300)
        with pytest.raises(StorageQuotaError, match=r"700 bytes .* and 301 more"):
            second.check(301)
        second.add(200)
        with pytest.raises(StorageQuotaError, match=r"500 bytes .* and 501 more"):
            first.add(101)
        with receiving.upload("b", 0) as other:
            other.add(1000)
        assert first.room == 700
    with receiving.upload("a", 300) as third:
        third.check(700)
    assert not receiving.bytes


def test_unfinished_jobs_of_an_owner_have_a_limit(jobs: JobStore, dataset: str) -> None:
    first, *_ = [jobs.create(SPEC, "mine", dataset, owner="a") for _ in range(3)]
    detail = r"^3 unfinished jobs of this key .* 1 more .* at most 3 together \(N2N_KEY_JOBS\)$"
    with pytest.raises(JobQuotaError, match=detail):
        jobs.create(SPEC, "mine", dataset, owner="a")
    assert jobs.create(SPEC, "mine", dataset, owner="a", job_id=first.id) == first
    jobs.create(SPEC, "mine", dataset, owner="b")
    claimed = jobs.claim("here", 9, 30)
    assert claimed
    assert claimed.id == first.id
    with pytest.raises(JobQuotaError):  # one that trains counts as well
        jobs.create(SPEC, "mine", dataset, owner="a")
    jobs.heartbeat(first.id, claimed.fence, 30, HALF)
    jobs.cancel(first.id)
    jobs.stopped(first.id, claimed.fence, HALF)
    put(jobs, jobs.create(SPEC, "mine", dataset, owner="a").id, State.QUEUED)


def test_resuming_needs_room_in_the_queue(jobs: JobStore, dataset: str) -> None:
    ended = jobs.create(SPEC, "mine", dataset, owner="a")
    claimed = jobs.claim("here", 9, 30)
    assert claimed
    jobs.cancel(ended.id)
    jobs.stopped(ended.id, claimed.fence, HALF.__class__(has_checkpoint=True))
    waiting = [jobs.create(SPEC, "mine", dataset, owner="a") for _ in range(3)]
    with pytest.raises(JobQuotaError, match="3 unfinished jobs"):
        jobs.resume(ended.id)
    jobs.cancel(waiting[0].id)
    assert jobs.resume(ended.id).state is State.QUEUED


def test_of_many_jobs_at_once_no_more_are_queued(jobs: JobStore, dataset: str) -> None:
    assert succeeded(12, lambda: jobs.create(SPEC, "mine", dataset, owner="a"), JobQuotaError) == 3


def queue(store: JobStore, dataset: str, owners: str) -> list[Job]:
    return [store.create(SPEC, "mine", dataset, owner=owner) for owner in owners]


def claim(store: JobStore, host: str = "here") -> Job:
    job = store.claim(host, 99, 30)
    assert job
    return job


def test_owners_take_turns_on_all_hosts_together(store: JobStore, dataset: str) -> None:
    made = queue(store, dataset, "aaaabbc")
    claimed = [claim(store, f"host{number % 2}") for number in range(7)]
    assert "".join(job.owner for job in claimed) == "abcabaa"
    for owner in "abc":  # an owner's own jobs in the order in which they were sent
        assert [job.id for job in claimed if job.owner == owner] == [j.id for j in made if j.owner == owner]


def test_who_comes_later_does_not_wait_for_a_long_queue(store: JobStore, dataset: str) -> None:
    queue(store, dataset, "a" * 20)
    assert [claim(store).owner for _ in range(3)] == ["a", "a", "a"]
    queue(store, dataset, "bb")
    assert [claim(store).owner for _ in range(4)] == ["b", "a", "b", "a"]


def test_to_delete_jobs_gets_nobody_in_front(store: JobStore, dataset: str) -> None:
    queue(store, dataset, "aabb")
    assert claim(store).owner == "a"
    assert claim(store).owner == "b"
    mine = store.page()[0][-1]
    store.cancel(mine.id)
    store.stopped(mine.id, mine.fence, HALF)
    store.delete(mine.id)
    queue(store, dataset, "a")
    assert [claim(store).owner for _ in range(3)] == ["a", "b", "a"]
    queue(store, dataset, "ab")
    assert claim(store).owner == "b"


def test_a_long_job_is_in_the_way_of_another_owners(store: JobStore, dataset: str) -> None:
    queue(store, dataset, "aa")
    long = claim(store)
    assert store.in_the_way("here", 0) is None  # it only starts
    store.running(long.id, long.fence, "cpu")
    assert store.in_the_way("here", 0) is None  # the other one is of the same owner
    queue(store, dataset, "b")
    found = store.in_the_way("here", 0)
    assert found
    assert found.id == long.id
    assert store.in_the_way("there", 0) is None
    assert store.in_the_way("here", 60) is None
    assert store.stopped(long.id, long.fence, HALF).attempt == 0
    assert [claim(store).owner for _ in range(3)] == ["b", "a", "a"]


def test_of_many_hosts_at_once_each_owner_gets_as_many(store: JobStore, dataset: str) -> None:
    queue(store, dataset, "a" * 12 + "b" * 12)
    with ThreadPoolExecutor(6) as pool:
        claimed = list(pool.map(lambda n: claim(store, f"host{n % 3}").owner, range(12)))
    assert sorted(claimed) == list("aaaaaabbbbbb")
