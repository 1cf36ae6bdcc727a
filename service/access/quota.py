"""How much each key may ask for: requests a minute, and requests at a time. Both are this process' own.

The headers are those of draft-ietf-httpapi-ratelimit-headers-11.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Literal

WINDOW_SECONDS = 60
QuotaCode = Literal["rate_exceeded", "concurrency_exceeded"]
POLICY, STATE = "RateLimit-Policy", "RateLimit"


@dataclass
class _Use:
    """What one key has left, as of ``at``, and what is under way."""

    tokens: float
    at: float
    running: int = 0


class QuotaError(Exception):
    """A key asks for more than it may; ``seconds`` from now it may ask again."""

    def __init__(self, code: QuotaCode, detail: str, seconds: int, headers: dict[str, str]) -> None:
        super().__init__(detail)
        self.code, self.detail, self.seconds, self.headers = code, detail, seconds, headers


class Quotas:
    """Limits of every key. For one event loop.

    Requests are let through by a token bucket: as many as ``rate`` at once, then one every
    ``60 / rate`` seconds.

    Args:
        rate: requests a minute; None for no limit.
        concurrency: requests at a time; None for no limit.
    """

    def __init__(self, rate: int | None, concurrency: int | None) -> None:
        self.rate, self.concurrency = rate, concurrency
        self._used: dict[str, _Use] = {}
        policies = []
        if rate:
            policies.append(f'"rate";q={rate};w={WINDOW_SECONDS}')
        if concurrency:
            policies.append(f'"concurrency";q={concurrency};qu="concurrent-requests"')
        self._policy = ", ".join(policies)

    @contextmanager
    def using(self, key: str) -> Iterator[dict[str, str]]:
        """One request of a key, for as long as it takes; gives the headers of its answer.

        Raises:
            QuotaError: the key has nothing left. It costs nothing.
        """
        if not self._policy:
            yield {}
            return
        use = self._refilled(key)
        self._check(use)
        use.tokens -= 1
        use.running += 1
        try:
            yield self._headers(use)
        finally:
            use.running -= 1

    def _refilled(self, key: str) -> _Use:
        full, at = float(self.rate or 0), monotonic()
        use = self._used.setdefault(key, _Use(full, at))
        use.tokens = min(full, use.tokens + (at - use.at) * full / WINDOW_SECONDS)
        use.at = at
        return use

    def _check(self, use: _Use) -> None:
        if self.concurrency and use.running >= self.concurrency:
            detail = f"{use.running} requests with this key are under way, expected at most"
            detail += f" {self.concurrency} (N2N_KEY_CONCURRENCY)"
            raise QuotaError("concurrency_exceeded", detail, 1, self._headers(use))
        if self.rate and use.tokens < 1:
            detail = f"more requests with this key than {self.rate} a minute (N2N_KEY_RATE)"
            raise QuotaError("rate_exceeded", detail, self._wait(use), self._headers(use))

    def _headers(self, use: _Use) -> dict[str, str]:
        left = []
        if self.rate:
            left.append(f'"rate";r={int(use.tokens)};t={self._wait(use)}')
        if self.concurrency:
            left.append(f'"concurrency";r={self.concurrency - use.running}')
        return {POLICY: self._policy, STATE: ", ".join(left)}

    def _wait(self, use: _Use) -> int:
        """Seconds until there is one token more."""
        return ceil((int(use.tokens) + 1 - use.tokens) * WINDOW_SECONDS / (self.rate or 1))
