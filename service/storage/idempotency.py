"""Idempotency keys: a request that is sent twice takes effect once, and gets the same response twice.

``begin`` returns the id for the resource that the request creates; it is the same for every retry. So if a
process dies between creating the resource and ``finish``, a retry does not create a second one.

Idempotency keys are separate for each API key: one client cannot see another client's requests or responses.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from service.exceptions import KeyInFlightError, KeyReusedError
from service.storage.database import Database
from service.storage.ids import uuid7
from service.storage.schema import idempotency_keys as keys
from service.storage.schema import now

KEEP_SECONDS = 24 * 3600
IN_FLIGHT_SECONDS = 60
"""Seconds after which a request without a response is assumed to have died with its process."""


@dataclass(frozen=True)
class Begun:
    """Process the request, and create its resource under the id ``resource``."""

    resource: str


@dataclass(frozen=True)
class Replay:
    """The stored response of an earlier request with the same key."""

    status: int
    body: Any


class IdempotencyKeys:
    """Stores ``Idempotency-Key`` headers and the responses to their requests. Thread-safe."""

    def __init__(self, database: Database, in_flight_seconds: float = IN_FLIGHT_SECONDS) -> None:
        self.database, self.in_flight_seconds = database, in_flight_seconds

    def begin(self, key: str, route: str, payload: bytes, owner: str = "") -> Begun | Replay:
        """Record a request, or return the response of an earlier one.

        Args:
            owner: fingerprint of the request's API key; empty if it has none.

        Raises:
            KeyInFlightError: the earlier request is still being processed.
            KeyReusedError: the key was used with another payload.
        """
        digest = hashlib.sha256(payload).hexdigest()
        same = keys.c.key == _owned(key, owner), keys.c.route == route
        with self.database.write() as connection:
            self.database.serialise(connection)
            connection.execute(delete(keys).where(keys.c.created_at < now() - KEEP_SECONDS))
            fresh = (keys.c.created_at > now() - self.in_flight_seconds).label("fresh")
            row = connection.execute(select(keys, fresh).where(*same)).one_or_none()
            if row is None:
                resource = uuid7()
                values = {
                    "key": _owned(key, owner),
                    "route": route,
                    "payload_sha256": digest,
                    "resource": resource,
                }
                connection.execute(insert(keys).values(values | {"created_at": now()}))
                return Begun(resource)
            if row.payload_sha256 != digest:
                raise KeyReusedError(f"the idempotency key {key!r} was used with a different request before")
            if row.status is not None:
                return Replay(row.status, row.body)
            if row.fresh:
                raise KeyInFlightError(f"the request with idempotency key {key!r} has not been answered yet")
            connection.execute(update(keys).where(*same).values(created_at=now()))
            return Begun(row.resource)

    def finish(self, key: str, route: str, status: int, body: Any, owner: str = "") -> None:
        """Store the response."""
        self._write(update(keys).values(status=status, body=body), _owned(key, owner), route)

    def abandon(self, key: str, route: str, owner: str = "") -> None:
        """Remove the record of a request that was rejected without effect, so its key can be reused."""
        self._write(delete(keys), _owned(key, owner), route)

    def _write(self, statement: Any, key: str, route: str) -> None:
        with self.database.write() as connection:
            connection.execute(statement.where(keys.c.key == key, keys.c.route == route))


def _owned(key: str, owner: str) -> str:
    """Return the key as stored. Fingerprints contain no spaces."""
    return f"{owner} {key}" if owner else key
