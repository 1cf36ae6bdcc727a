"""Exit statuses of a trainer, and which failures are permanent."""

import errno
from collections.abc import Iterator
from typing import Literal

from n2n_core.errors import (
    ConfigError,
    DataError,
    DivergedError,
    OutOfMemoryError,
    StorageError,
    UnknownModelError,
    WeightsError,
)

FailureCode = Literal[
    "diverged", "disk_full", "disk_read_only", "out_of_memory", "bad_data", "bad_config", "bad_model",
    "storage", "crashed", "lease_expired", "not_started",
]  # fmt: skip
"""Stable codes of failures. The last three are for attempts that ended without a reason of their own."""

FINISHED = 0
CRASHED = 1  # Python's own status for an unexpected error: another attempt is made
STOPPED = 3
LEASE_LOST = 4
CODES: dict[int, FailureCode] = {
    10: "diverged",
    11: "disk_full",
    12: "disk_read_only",
    13: "out_of_memory",
    14: "bad_data",
    15: "bad_config",
    16: "bad_model",
    17: "storage",
}
"""Permanent failures by exit status, which tells the reason when the database cannot be written."""

STATUSES = {code: status for status, code in CODES.items()}

_OWN: tuple[tuple[type[Exception], FailureCode], ...] = (
    (DivergedError, "diverged"),
    (DataError, "bad_data"),
    (UnknownModelError, "bad_config"),
    (ConfigError, "bad_config"),
    (WeightsError, "bad_model"),
    (OutOfMemoryError, "out_of_memory"),
    (MemoryError, "out_of_memory"),
    (StorageError, "storage"),  # for causes other than the errno below
)
_ERRNO: dict[int, FailureCode] = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EROFS: "disk_read_only",
    errno.ENOMEM: "out_of_memory",
}
_TORCH: dict[str, FailureCode] = {  # torch raises RuntimeError for all of these
    "PytorchStreamWriter": "disk_full",
    "unexpected pos": "disk_full",
    "can't allocate memory": "out_of_memory",
    "not enough memory": "out_of_memory",
    "out of memory": "out_of_memory",
    "bad_alloc": "out_of_memory",
}


def reason(error: BaseException) -> FailureCode | None:
    """Return the code of a permanent failure, or None if another attempt may succeed.

    >>> reason(OSError(28, "No space left on device")), reason(KeyError("x"))
    ('disk_full', None)
    """
    return next((code for one in _chain(error) if (code := _code(one))), None)


def _code(error: BaseException) -> FailureCode | None:
    for kind, code in _OWN:
        if isinstance(error, kind):
            return code
    if isinstance(error, OSError):
        return _ERRNO.get(error.errno or 0)
    if isinstance(error, RuntimeError):
        return next((code for words, code in _TORCH.items() if words in str(error)), None)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, the first cause first: torch's error may hide a full disk."""
    if error is not None:
        yield from _chain(error.__cause__ or error.__context__)
        yield error
