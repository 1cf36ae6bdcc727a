"""API keys in the database, which stores only their hashes.

A key has 256 random bits, so a plain SHA-256 is enough: salts and slow hashes protect passwords that can
be guessed. NIST SP 800-63B (2017), section 5.1.2.2, requires no more for secrets of at least 112 random
bits. The prefix lets people, and scanners for leaked secrets, recognise a key.
"""

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from sqlalchemy import delete, insert, select

from n2n_core.errors import ConfigError
from service.access.scopes import SCOPES, Scope
from service.storage.database import Database
from service.storage.schema import api_keys, now

PREFIX, BYTES = "n2n_", 32
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Key:
    """Database record of a key. ``created_at`` is in seconds since 1970."""

    name: str
    sha256: str
    scopes: frozenset[Scope]
    created_at: float


def fingerprint(secret: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal digits."""
    return sha256(secret.encode()).hexdigest()


class ApiKeys:
    """The table of API keys, shared by all processes that use the database. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, name: str, scopes: Collection[Scope]) -> str:
        """Make a key and return its secret, which cannot be read again.

        Raises:
            ConfigError: the name is taken or not valid, or the scopes are empty or unknown.
        """
        if not NAME.fullmatch(name):
            raise ConfigError(f"the key's name is {name!r}, expected 1 to 64 of A-Z a-z 0-9 . _ -")
        known = [scope for scope in SCOPES if scope in scopes]
        if not scopes or len(known) != len(set(scopes)):
            raise ConfigError(f"scopes are {','.join(scopes)!r}, expected some of: {', '.join(SCOPES)}")
        secret = PREFIX + secrets.token_urlsafe(BYTES)
        values = {"name": name, "sha256": fingerprint(secret), "scopes": known, "created_at": now()}
        with self.database.write() as connection:
            self.database.serialise(connection)
            if connection.scalar(select(api_keys.c.name).where(api_keys.c.name == name)):
                raise ConfigError(f"there is already a key {name!r}, expected a new name, or remove it first")
            connection.execute(insert(api_keys).values(values))
        return secret

    def list(self) -> tuple[Key, ...]:
        """Return all keys, sorted by name."""
        with self.database.read() as connection:
            rows = connection.execute(select(api_keys).order_by(api_keys.c.name)).all()
        return tuple(Key(row.name, row.sha256, frozenset(row.scopes), row.created_at) for row in rows)

    def remove(self, name: str) -> None:
        """Remove a key.

        Raises:
            ConfigError: there is no such key.
        """
        with self.database.write() as connection:
            found = connection.execute(delete(api_keys).where(api_keys.c.name == name)).rowcount
        if not found:
            names = ", ".join(key.name for key in self.list()) or "none"
            raise ConfigError(f"there is no key {name!r}; known keys: {names}")
