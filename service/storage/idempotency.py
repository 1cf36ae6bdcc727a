"""Idempotency keys: the same request sent twice is done once, and answered twice.

``begin`` gives the id under which the request is to make its thing, the same id every time. A
process that dies between making and ``finish`` therefore leaves nothing that a retry would make anew.

An idempotency key belongs to whoever sent it, told by the API key: what one sends, or is answered, another
one learns nothing of.
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
"""After this long without an answer, whoever was to give it is taken for dead."""


@dataclass(frozen=True)
class Begun:
    """Do the request, and make its thing under the id ``resource``."""

    resource: str


@dataclass(frozen=True)
class Replay:
    """The request was done: answer this again."""

    status: int
    body: Any


class IdempotencyKeys:
    """The keys that clients sent with ``Idempotency-Key``. Thread-safe."""

    def __init__(self, database: Database, in_flight_seconds: float = IN_FLIGHT_SECONDS) -> None:
        self.database, self.in_flight_seconds = database, in_flight_seconds

    def begin(self, key: str, route: str, payload: bytes, owner: str = "") -> Begun | Replay:
        """Note the request, or find that it came before.

        Args:
            owner: the fingerprint of the API key that it came with; empty for none.

        Raises:
            KeyInFlightError: it came a moment ago and is not answered yet.
            KeyReusedError: the key came with another payload.
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
                raise KeyReusedError(f"the idempotency key {key!r} came with another request before")
            if row.status is not None:
                return Replay(row.status, row.body)
            if row.fresh:
                raise KeyInFlightError(f"the request with idempotency key {key!r} is not answered yet")
            connection.execute(update(keys).where(*same).values(created_at=now()))
            return Begun(row.resource)

    def finish(self, key: str, route: str, status: int, body: Any, owner: str = "") -> None:
        """Keep the answer."""
        self._write(update(keys).values(status=status, body=body), _owned(key, owner), route)

    def abandon(self, key: str, route: str, owner: str = "") -> None:
        """The request was refused before it did anything: the key may come again."""
        self._write(delete(keys), _owned(key, owner), route)

    def _write(self, statement: Any, key: str, route: str) -> None:
        with self.database.write() as connection:
            connection.execute(statement.where(keys.c.key == key, keys.c.route == route))


def _owned(key: str, owner: str) -> str:
    """As it is kept: no fingerprint holds a space."""
    return f"{owner} {key}" if owner else key
