"""The keys that a process knows: those of the database, as they were at most a second ago."""

import asyncio
import logging
from hmac import compare_digest
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from service.access.keys import ApiKeys, Key, fingerprint

CHECK_SECONDS = 1.0
"""How long a look at the database is good for."""

STALE_SECONDS = 10.0
"""Beyond this age a look is waited for, also while another request takes it."""

log = logging.getLogger("n2n.service")


class Keyring:
    """Knows whether keys are asked for, and whose each is.

    They are once there is one, and from then on, whatever becomes of them: a service does not open when
    its last key is removed.

    Args:
        required: ask for keys even if there is none, so that nobody gets in.
    """

    def __init__(self, keys: ApiKeys, required: bool = False) -> None:
        self.required = required
        self._keys, self._known = keys, ()
        self._looking, self._looked = asyncio.Lock(), float("-inf")

    _known: tuple[Key, ...]

    async def refresh(self) -> None:
        """Follow the database, if the last look is old; what cannot be read changes nothing."""
        age = monotonic() - self._looked
        if age < CHECK_SECONDS or (self._looking.locked() and age < STALE_SECONDS):
            return
        async with self._looking:
            if monotonic() - self._looked >= CHECK_SECONDS:
                await asyncio.to_thread(self._follow)

    def look(self) -> None:
        """Read the keys, whatever the last look's age."""
        self._known = self._keys.list()
        self.required |= bool(self._known)
        self._looked = monotonic()

    def find(self, secret: str) -> Key | None:
        """Whose key this is. All are compared, each in constant time: how long it takes tells nothing."""
        mine = fingerprint(secret)
        found = None
        for key in self._known:
            if compare_digest(key.sha256, mine):
                found = key
        return found

    def _follow(self) -> None:
        try:
            self.look()
        except SQLAlchemyError as error:
            self._looked = monotonic()
            log.error("the API keys stay as they are: %s", error)
