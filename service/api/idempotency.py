"""``Idempotency-Key``: a repeated request creates its resource once, and gets the same response."""

import json
from collections.abc import Callable
from typing import Any

from n2n_core.errors import N2NError
from service.http.errors import ProblemError
from service.jobs.records import Json
from service.storage.idempotency import IdempotencyKeys, Replay


def run_idempotently(
    keys: IdempotencyKeys,
    key: str | None,
    route: str,
    payload: Json,
    make: Callable[[str | None], tuple[int, Any]],
    owner: str = "",
) -> tuple[int, Any]:
    """Call ``make`` and return its status and JSON, or the stored ones if the key was used before.

    Args:
        make: creates the resource under the given id, or under a new one for None.
        owner: owner of the key, see ``IdempotencyKeys.begin``.

    Raises:
        KeyInFlightError: the earlier request is still being processed.
        KeyReusedError: the key was used with another payload.
    """
    if key is None:
        return make(None)
    begun = keys.begin(key, route, json.dumps(payload, sort_keys=True).encode(), owner)
    if isinstance(begun, Replay):
        return begun.status, begun.body
    try:
        status, body = make(begun.resource)
    except (N2NError, ProblemError):  # after any other error, the resource may exist
        keys.abandon(key, route, owner)
        raise
    keys.finish(key, route, status, body, owner)
    return status, body
