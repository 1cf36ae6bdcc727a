"""In-memory copy of the API keys, at most a second behind the database."""

import asyncio
import logging
from hmac import compare_digest
from pathlib import Path
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from service.access.keys import ApiKeys, Key, fingerprint

CHECK_SECONDS = 1.0
"""Seconds after which the keys are read again."""

STALE_SECONDS = 10.0
"""Age in seconds beyond which a request waits for the keys to be read, even by another request."""

log = logging.getLogger("n2n.service")


def remember(marker: Path) -> None:
    """Note in a file that there was a key. If it cannot be written, the log says so."""
    try:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
    except OSError as error:
        log.error("%s cannot be written (%s): keys are required only while there are any", marker, error)


class Keyring:
    """Finds keys by their secret, and knows whether keys are required.

    Keys are required from the moment there is one, and stay required: neither removing the last key nor
    losing the database opens the service, restarts included. A file beside the database remembers it.

    Args:
        marker: the file; it exists if there ever was a key.
        required: require keys even if there never was one, so that all requests are rejected.
    """

    def __init__(self, keys: ApiKeys, marker: Path, required: bool = False) -> None:
        self.required = required
        self._keys, self._marker, self._known = keys, marker, ()
        self._looking, self._looked = asyncio.Lock(), float("-inf")

    _known: tuple[Key, ...]

    async def refresh(self) -> None:
        """Read the keys again if they are old. If the database cannot be read, nothing changes."""
        age = monotonic() - self._looked
        if age < CHECK_SECONDS or (self._looking.locked() and age < STALE_SECONDS):
            return
        async with self._looking:
            if monotonic() - self._looked >= CHECK_SECONDS:
                await asyncio.to_thread(self._follow)

    def look(self) -> None:
        """Read the keys now."""
        self._known = self._keys.list()
        if self._known:
            remember(self._marker)
        self.required |= bool(self._known) or self._marker.exists()
        self._looked = monotonic()

    @property
    def is_empty(self) -> bool:
        """Whether there is no key, so that no request can have one."""
        return not self._known

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret. Comparisons take constant time, so timing reveals nothing."""
        digest = fingerprint(secret)
        found = None
        for key in self._known:
            if compare_digest(key.sha256, digest):
                found = key
        return found

    def _follow(self) -> None:
        try:
            self.look()
        except SQLAlchemyError as error:
            self._looked = monotonic()
            log.error("the API keys stay as they are: %s", error)
