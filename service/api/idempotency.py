"""``Idempotency-Key``: a request that makes something is done once, however often it is sent."""

import json
from collections.abc import Callable
from typing import Any

from n2n_core.errors import N2NError
from service.http.errors import ProblemError
from service.jobs.records import Json
from service.storage.idempotency import IdempotencyKeys, Replay


def once(
    keys: IdempotencyKeys,
    key: str | None,
    route: str,
    payload: Json,
    make: Callable[[str | None], tuple[int, Any]],
    owner: str = "",
) -> tuple[int, Any]:
    """What ``make`` answers, a status and JSON; for a key that came before, what it answered then.

    Args:
        make: takes the id for the thing that it makes, or None.
        owner: of the key, see ``IdempotencyKeys.begin``.

    Raises:
        KeyInFlightError: the same request came a moment ago and is not answered yet.
        KeyReusedError: the key came with another payload.
    """
    if key is None:
        return make(None)
    begun = keys.begin(key, route, json.dumps(payload, sort_keys=True).encode(), owner)
    if isinstance(begun, Replay):
        return begun.status, begun.body
    try:
        status, body = make(begun.resource)
    except (N2NError, ProblemError):  # after any other error nobody knows whether it was made
        keys.abandon(key, route, owner)
        raise
    keys.finish(key, route, status, body, owner)
    return status, body
