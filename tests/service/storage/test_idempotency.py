"""Idempotency keys, on each database."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from service.exceptions import KeyInFlightError, KeyReusedError
from service.jobs.store import JobStore
from service.storage.database import Database
from service.storage.idempotency import KEEP_SECONDS, Begun, IdempotencyKeys, Replay
from service.storage.schema import idempotency_keys

ROUTE, PAYLOAD, BODY = "POST /train-jobs", b'{"dataset": "x"}', {"id": "7", "links": [None, 1.5]}


@pytest.fixture
def keys(database: Database) -> IdempotencyKeys:
    return IdempotencyKeys(database)


def test_an_answer_is_given_again(keys: IdempotencyKeys) -> None:
    assert isinstance(keys.begin("k", ROUTE, PAYLOAD), Begun)
    keys.finish("k", ROUTE, 202, BODY)
    assert keys.begin("k", ROUTE, PAYLOAD) == Replay(202, BODY)
    assert isinstance(keys.begin("k", "POST /datasets", PAYLOAD), Begun)


def test_the_same_key_of_another_owner_is_another_one(keys: IdempotencyKeys) -> None:
    for owner in ("", "a1", "b2"):
        assert isinstance(keys.begin("k", ROUTE, owner.encode(), owner), Begun)
    keys.finish("k", ROUTE, 202, BODY, "a1")
    keys.abandon("k", ROUTE, "b2")
    assert keys.begin("k", ROUTE, b"a1", "a1") == Replay(202, BODY)
    assert isinstance(keys.begin("k", ROUTE, b"corrected", "b2"), Begun)
    with pytest.raises(KeyReusedError, match="idempotency key 'k'"):
        keys.begin("k", ROUTE, b"other", "a1")


def test_another_payload_is_refused(keys: IdempotencyKeys) -> None:
    keys.begin("k", ROUTE, PAYLOAD)
    with pytest.raises(
        KeyReusedError, match="the idempotency key 'k' was used with a different request before"
    ):
        keys.begin("k", ROUTE, b"other")


def test_a_request_under_way_is_not_begun_again_unless_it_was_given_up(keys: IdempotencyKeys) -> None:
    first = keys.begin("k", ROUTE, PAYLOAD)
    with pytest.raises(KeyInFlightError, match="'k' has not been answered yet"):
        keys.begin("k", ROUTE, PAYLOAD)
    keys.in_flight_seconds = 0.0  # whoever had it died
    assert keys.begin("k", ROUTE, PAYLOAD) == first


def test_a_retry_after_a_crash_makes_no_second_job(
    keys: IdempotencyKeys, store: JobStore, dataset: str
) -> None:
    first = keys.begin("k", ROUTE, PAYLOAD)
    assert isinstance(first, Begun)
    made = store.create({}, "mine", dataset, job_id=first.resource)  # and here the process dies
    keys.in_flight_seconds = 0.0
    again = keys.begin("k", ROUTE, PAYLOAD)
    assert isinstance(again, Begun)
    assert store.create({}, "mine", dataset, job_id=again.resource) == made
    assert len(store.page()[0]) == 1


def test_a_refused_request_may_come_again(keys: IdempotencyKeys) -> None:
    keys.begin("k", ROUTE, PAYLOAD)
    keys.abandon("k", ROUTE)
    assert isinstance(keys.begin("k", ROUTE, b"corrected"), Begun)


def test_keys_are_forgotten_after_a_day(keys: IdempotencyKeys, database: Database) -> None:
    keys.begin("k", ROUTE, PAYLOAD)
    keys.finish("k", ROUTE, 202, BODY)
    with database.write() as connection:
        age = idempotency_keys.c.created_at - KEEP_SECONDS
        connection.execute(update(idempotency_keys).values(created_at=age + 60))
    assert isinstance(keys.begin("k", ROUTE, PAYLOAD), Replay)
    with database.write() as connection:
        connection.execute(update(idempotency_keys).values(created_at=age))
    assert isinstance(keys.begin("k", ROUTE, PAYLOAD), Begun)


def test_of_equal_requests_at_once_one_is_done(database: Database) -> None:
    keys = IdempotencyKeys(database)

    def begin(_: int) -> bool:
        try:
            return isinstance(keys.begin("k", ROUTE, PAYLOAD), Begun)
        except KeyInFlightError:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(begin, range(12))) == 1
