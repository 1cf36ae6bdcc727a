"""Quotas of each key: requests per minute, and concurrent requests, both counted per process.

The headers follow draft-ietf-httpapi-ratelimit-headers-11.
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
    """Tokens that a key had left at the time ``at``, and its requests in progress."""

    tokens: float
    at: float
    running: int = 0


class QuotaError(Exception):
    """A key has exceeded its quota; it may try again in ``seconds``."""

    def __init__(self, code: QuotaCode, detail: str, seconds: int, headers: dict[str, str]) -> None:
        super().__init__(detail)
        self.code, self.detail, self.seconds, self.headers = code, detail, seconds, headers


class Quotas:
    """Enforces the quotas of all keys. Use it from one event loop only.

    A token bucket limits the rate: a burst of up to ``rate`` requests, then one every ``60 / rate`` seconds.

    Args:
        rate: requests per minute; None for no limit.
        concurrency: concurrent requests; None for no limit.
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
        """Count one request of a key for the duration of the block, which gets the response's headers.

        Raises:
            QuotaError: the quota is exceeded. The rejected request does not count.
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
            detail = f"{use.running} requests with this key are in progress, expected at most"
            detail += f" {self.concurrency} (N2N_KEY_CONCURRENCY)"
            raise QuotaError("concurrency_exceeded", detail, 1, self._headers(use))
        if self.rate and use.tokens < 1:
            detail = f"more than {self.rate} requests per minute with this key (N2N_KEY_RATE)"
            raise QuotaError("rate_exceeded", detail, self._wait(use), self._headers(use))

    def _headers(self, use: _Use) -> dict[str, str]:
        left = []
        if self.rate:
            left.append(f'"rate";r={int(use.tokens)};t={self._wait(use)}')
        if self.concurrency:
            left.append(f'"concurrency";r={self.concurrency - use.running}')
        return {POLICY: self._policy, STATE: ", ".join(left)}

    def _wait(self, use: _Use) -> int:
        """Return the seconds until there is one more token."""
        return ceil((int(use.tokens) + 1 - use.tokens) * WINDOW_SECONDS / (self.rate or 1))
